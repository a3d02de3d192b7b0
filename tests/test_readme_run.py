"""What `make run` prints in the README is what it prints."""

import os
import re
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
OFFLINE = """
import socket

def refuse(*_, **__):
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

socket.getaddrinfo = socket.create_connection = refuse
"""


def shown(lines):
    """The lines without times, without progress, and without why there is no network."""
    lines = [line for line in lines if line and not line.startswith("      ")]
    lines = [re.sub(r"(cannot be downloaded) \(.*\)$", r"\1", line) for line in lines]
    return [re.sub(r"\d+\.\d\b", "?", line) if " s: data " in line else line for line in lines]


def test_the_readme_shows_what_make_run_prints(tmp_path, warm_python):
    """Line by line, to the last digit: without a network, so on the digits."""
    readme = (ROOT / "README.md").read_text()
    command, *expected = re.search(r"^```\n\$ (.*?)^```", readme, re.M | re.S)[1].splitlines()
    # Under `make test` a make would take that one's flags, and say where it is.
    of_make = {name for name in os.environ if "MAKE" in name} | {"ARGS", "PYTHON"}
    environment = {name: value for name, value in os.environ.items() if name not in of_make}
    recipe = subprocess.run(
        [*shlex.split(command), "--dry-run"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    _python, program, *arguments = shlex.split(recipe.stdout.splitlines()[-1])
    (tmp_path / "sitecustomize.py").write_text(OFFLINE)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = warm_python.run(ROOT / program, *arguments, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    on_stderr = [line for line in expected if line.startswith(("[", "main.py:"))]
    on_stdout = [line for line in expected if line not in on_stderr]
    assert shown(done.stderr.splitlines()) == shown(on_stderr)
    assert shown(done.stdout.splitlines()) == shown(on_stdout)
