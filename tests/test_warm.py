"""Programs forked from a process that has imported them are as those that start from nothing."""

import os
import signal
import subprocess
import sys

import pytest
import warm

MAIN = warm.ROOT / "main.py"
PROBE = """
import json, os, signal, sys
print(json.dumps([
    sys.argv, os.getcwd(), os.environ.get("PROBE"), sys.stdin.read(), os.getsid(0) == os.getpid(),
    [number for number in range(3, 64) if os.path.exists(f"/proc/self/fd/{number}")][1:],
    signal.getsignal(signal.SIGINT) == signal.default_int_handler, __name__, sys.orig_argv[1:],
]))
print("said", file=sys.stderr)
"""
MODULE = "import sys\nprint(sys.argv[1:], __name__, __file__)\nsys.exit('no luck')\n"


def cold(*arguments, cwd, env):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", PROBE, "a", "b"),
        ("-P", "-c", PROBE + "sys.exit(7)"),
        ("-c", "import atexit; atexit.register(print, 'at the end'); raise SystemExit"),
        ("-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        ("-m", "module", "x"),
        ("module.py", "x"),
        ("-c", "import custom; print(custom.done)"),
        (MAIN, "--list", "pruners"),
        (MAIN, "--sparsity", "2"),
        (MAIN, "--snn", "none.pt"),
    ],
    ids=lambda arguments: str(arguments[-1])[-30:],
)
def test_the_same_is_said_and_the_end_is_the_same(arguments, warm_python, tmp_path):
    (tmp_path / "module.py").write_text(MODULE)
    (tmp_path / "custom.py").write_text("done = False\n")
    (tmp_path / "sitecustomize.py").write_text("import custom\ncustom.done = True\n")
    env = os.environ | {"PROBE": "here", "PYTHONPATH": str(tmp_path)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell
    process = warm_python.start(*arguments, cwd=tmp_path, env=env, session=True)
    out, err = process.communicate()
    wanted = cold(*arguments, cwd=tmp_path, env=env)
    assert (process.returncode, out, err) == (wanted.returncode, wanted.stdout, wanted.stderr)


def test_an_exception_is_shown(warm_python, tmp_path):
    done = warm_python.run("-c", "import main\n1 / 0", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_one_knows_nothing_of_another(warm_python, tmp_path):
    for _ in range(2):
        code = "import math, sys; print(math.pi); math.pi = 3; sys.path.append('x')"
        assert warm_python.run("-c", code, cwd=tmp_path).stdout == "3.141592653589793\n"


def test_it_is_killed_with_its_number(warm_python, tmp_path):
    code = "import time; print('begun', flush=True); time.sleep(10_000)"
    process = warm_python.start("-c", code, cwd=tmp_path, session=True)
    try:
        assert process.poll() is None
        assert os.getpgid(process.pid) == process.pid
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM
    finally:
        process.kill()
        process.communicate()


def test_what_stands_for_python_in_scripts(warm_python, tmp_path):
    script = f'"{warm_python.executable}" -c "{{}}"; echo "status $?"'
    for code, said in (
        ("import sys; print(sys.stdin.read()); sys.exit(5)", "given\n\nstatus 5\n"),
        ("import os; os.kill(os.getpid(), 9)", "status 137\n"),
    ):
        done = subprocess.run(
            ["bash", "-c", script.format(code)],
            input="given\n",
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.stdout == said
