"""The rooms' order: README lists it, and the imports in the code keep to it."""

import ast
import re
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parent.parent
# Nothing of the program imports them.
APART = {"tests", "conftest", "scripts", ".venv", "deps", ".ci"}


def rooms():
    """Rooms in the order of README's table, from the bottom up."""
    text = (ROOT / "README.md").read_text()
    table = text.partition("<!-- rooms -->")[2].partition("<!-- /rooms -->")[0]
    return re.findall(r"^\| \[?`([\w.]+)/?`", table, re.MULTILINE)


def modules():
    """Files by the name of their module."""
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if parts[0] not in APART and not any(part.startswith(".") for part in parts):
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


def imports():
    """Which module takes something from which, types and imports inside functions included."""
    files = modules()
    graph = nx.DiGraph()
    graph.add_nodes_from(files)
    for module, file in files.items():
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(file.read_text())):
            for name in _named(node, package, files):
                while name and name not in files:
                    name = name.rpartition(".")[0]
                if name and name != module:
                    graph.add_edge(module, name)
    return graph


def _named(node, package, files):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    start = node.module
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        start = ".".join([*above, *([node.module] if node.module else [])])
    names = [f"{start}.{alias.name}" for alias in node.names]
    return [name if name in files else start for name in names]


@pytest.fixture(scope="module")
def graph():
    return imports()


def test_every_file_is_in_a_room_of_the_list(graph):
    assert {module.partition(".")[0] for module in graph} == {
        r.removesuffix(".py") for r in rooms()
    }


def test_no_files_know_each_other_in_a_circle(graph):
    assert [part for part in nx.strongly_connected_components(graph) if len(part) > 1] == []


def test_rooms_import_only_rooms_that_stand_before_them(graph):
    place = {room.removesuffix(".py"): number for number, room in enumerate(rooms())}
    upwards = [
        f"{one} imports {other}"
        for one, other in graph.edges
        if place[other.partition(".")[0]] > place[one.partition(".")[0]]
    ]
    assert upwards == []


def test_files_are_short():
    lines = {name: len(file.read_text().splitlines()) for name, file in modules().items()}
    assert {name: count for name, count in lines.items() if count > 400} == {}
    assert lines["main"] < 200
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250
