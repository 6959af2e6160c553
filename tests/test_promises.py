"""Every promise has a test, every test of a promise names a real one, and every security test carries one."""

import ast
from collections import defaultdict
from pathlib import Path

from tests.promises import PROMISES

TESTS = Path(__file__).parent


def _promised(node: ast.AST) -> str | None:
    """The id in `pytest.mark.promise("id")`."""
    match node:
        case ast.Call(func=ast.Attribute(attr="promise"), args=[ast.Constant(value=str(identity))]):
            return identity
        case _:
            return None


def _marks(path: Path) -> dict[str, list[str]]:
    """Test function -> the promises it carries, by its own decorators or the module's pytestmark."""
    tree = ast.parse(path.read_text())
    module = [
        identity
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and any(getattr(target, "id", "") == "pytestmark" for target in statement.targets)
        for node in ast.walk(statement)
        if (identity := _promised(node))
    ]
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    return {
        function.name: module + [found for decorator in function.decorator_list if (found := _promised(decorator))]
        for function in functions
    }


def _carried() -> dict[str, list[str]]:
    carried: dict[str, list[str]] = defaultdict(list)
    for path in TESTS.rglob("test_*.py"):
        for name, promises in _marks(path).items():
            for identity in promises:
                carried[identity].append(f"{path.name}::{name}")
    return carried


def test_every_promise_is_carried_by_a_test_or_says_why_not() -> None:
    carried = _carried()

    assert [promise.id for promise in PROMISES if not promise.pending and not carried[promise.id]] == []


def test_no_pending_promise_has_a_test_already() -> None:
    carried = _carried()

    assert [promise.id for promise in PROMISES if promise.pending and carried[promise.id]] == []


def test_every_mark_names_a_promise() -> None:
    assert set(_carried()) - {promise.id for promise in PROMISES} == set()


def test_every_security_test_carries_a_promise() -> None:
    bare = [
        f"{path.name}::{name}"
        for path in (TESTS / "security").rglob("test_*.py")
        for name, promises in _marks(path).items()
        if not promises
    ]

    assert bare == []


def test_the_readme_lists_every_promise() -> None:
    readme = (TESTS.parent / "README.md").read_text()

    assert [promise.id for promise in PROMISES if promise.sentence not in readme] == []
