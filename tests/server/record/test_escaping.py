"""A person reads what is there."""

import pytest

from server.record.escaping import escaped


@pytest.mark.promise("approval.bound")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ls -la\nrm x", "ls -la\nrm x"),
        ("a\x1b[2Kb", r"a\x1b[2Kb"),
        ("a\rb", r"a\rb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u200bb", r"a\u200bb"),
        ("a\x00", r"a\x00"),
        ("naïve 名", "naïve 名"),
        ("\ud800", r"\ud800"),
    ],
)
def test_nothing_hides(text: str, shown: str) -> None:
    assert escaped(text) == shown
