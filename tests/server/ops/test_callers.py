import pytest

from server.ops.callers import is_of


@pytest.mark.parametrize(
    ("owner", "named", "it_is"),
    [
        ("sandgate|ann", "ann", True),
        ("sandgate|ann", "sandgate|ann", True),
        ("https://id.test|ann", "ann", True),
        ("local", "local", True),
        ("local", None, True),
        ("sandgate|ann", "sandgate", False),
        ("sandgate|ann", "", False),
        ("sandgate|joann", "ann", False),
    ],
)
def test_a_caller_is_named_in_full_or_in_short(owner: str, named: str | None, *, it_is: bool) -> None:
    assert is_of(owner, named) == it_is
