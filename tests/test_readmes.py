"""The README files: links lead somewhere, commands are understood, snippets are Python."""

import re
import shlex
from importlib.util import find_spec

import pytest

from command_line import flags
from command_line.tables import ROOT, readmes
from tests.benchmarks import tables

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def prose(name):
    return FENCE.sub("", (ROOT / name).read_text())


def blocks(name, *languages):
    found = FENCE.findall((ROOT / name).read_text())
    return [text for language, text in found if language in languages]


def anchors(text):
    """What GitHub makes of headings: lower case, hyphens for blanks, no other signs."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", readmes(), ids=str)
def test_links_and_pictures_lead_somewhere(name):
    for link in LINK.findall(prose(name)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(prose(target.relative_to(ROOT).as_posix())), link


@pytest.mark.parametrize("name", readmes(), ids=str)
def test_commands_are_understood(name):
    lines = "\n".join(blocks(name, "")).replace("\\\n", "")
    lines = re.sub(r'^make run ARGS="(.*?)"', r"python main.py \1", lines, flags=re.MULTILINE)
    commands = [
        shlex.split(line, comments=True)
        for line in re.findall(r"^ *(python .*)", lines, re.M)
        if "$" not in line  # of a loop
    ]
    for _, first, *arguments in commands:
        if first == "main.py":
            assert flags.parse(arguments)
        else:
            assert first == "-m" and find_spec(arguments[0]), arguments


@pytest.mark.parametrize("name", readmes(), ids=str)
def test_snippets_are_python(name):
    for text in blocks(name, "python"):
        compile(text, str(name), "exec")


def test_tables_of_networks_are_those_of_the_results():
    text = tables.README.read_text()
    assert tables.written(text) == text


def test_every_room_has_a_readme_file_that_the_first_one_names():
    linked = set(LINK.findall((ROOT / "README.md").read_text()))
    assert [name for name in map(str, readmes()) if name not in linked | {"README.md"}] == []
