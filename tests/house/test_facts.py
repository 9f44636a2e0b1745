"""One place for each fact: nobody but `data` takes the name of data apart or decides by it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from wgan.data import SOURCES

SOURCE = Path(__file__).parents[2] / "src" / "wgan"
FILES = [p for p in sorted(SOURCE.rglob("*.py")) if p.relative_to(SOURCE).parts[0] not in ("data", "recipes")]
CUTS = {"partition", "rpartition", "split", "rsplit", "startswith", "endswith", "removeprefix", "removesuffix"}


def names_in(node: ast.AST) -> Iterator[str]:
    """Yield the names of bundled data, alone or with an argument, among the constants below a node."""
    for n in ast.walk(node):
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value.partition(":")[0] in SOURCES:
            yield n.value


def decisions(tree: ast.AST) -> Iterator[str]:
    """Yield the code that decides by the name of data: a comparison, a table, a case, a piece of the name."""
    for node in ast.walk(tree):
        found: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            found = [node.left, *node.comparators]
            if any(isinstance(n, ast.Name) and n.id == "SOURCES" for n in found):
                yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Dict):
            found = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.MatchValue):
            found = [node.value]
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set)) and node.elts:
            found = list(node.elts) if all([*names_in(e)] for e in node.elts) else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {*CUTS, "get"}:
            found = list(node.args)
        if any([*names_in(f)] for f in found):
            yield f"line {getattr(node, 'lineno', '?')}: {ast.unparse(node)}"


def cuts(tree: ast.AST) -> Iterator[str]:
    """Yield the code that takes the name of data apart, or looks at a part of it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in CUTS:
            continue
        if re.search(r"\b(data|spec|source\.name|test\.name|train\.name)$", ast.unparse(node.func.value)):
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_nobody_decides_by_the_name_of_data(path: Path) -> None:
    """The source says it: its `recipe`, its `reader`, its classes, its `mode_tests`."""
    tree = ast.parse(path.read_text())
    assert not [*decisions(tree)]
    assert not [*cuts(tree)]


@pytest.mark.parametrize(
    "code",
    [
        'name == "mnist"',
        'name.partition(":")[0] in SOURCES',
        'name in ("ring", "grid")',
        'TOYS = ("ring", "grid")',
        'FIRST = {"mnist": "fid-lenet"}',
        'name.startswith("stacked-mnist")',
        'match name:\n    case "ring:gulrajani":\n        pass',
        'config.data.partition(":")',
        'spec.split(":")[0]',
        'data.startswith("hf:")',
    ],
)
def test_the_reader_of_code_sees_a_decision(code: str) -> None:
    tree = ast.parse(code)
    assert [*decisions(tree), *cuts(tree)]
