import re

import pytest

from server.sandbox.placeholders import Lent, Placeholders

LENT = (Lent("one", "ONE"), Lent("two", "TWO", "sk-"))


@pytest.mark.promise("secrets.outside")
def test_each_secret_and_sandbox_has_its_own_and_no_two_servers_agree() -> None:
    placeholders = Placeholders(LENT)
    texts = [
        *placeholders.by_name("a").values(),
        *placeholders.by_name("b").values(),
        *Placeholders(LENT).by_name("a").values(),
    ]

    assert len(set(texts)) == 6
    assert all(re.fullmatch(r"(sk-)?sandgate_[0-9a-f]{32}", text) for text in texts)


def test_the_sandbox_and_the_gate_are_told_the_same() -> None:
    placeholders = Placeholders(LENT)
    told = placeholders.by_name("a")

    assert placeholders.variables("a") == {"ONE": told["one"], "TWO": told["two"]}


def test_its_key_is_not_shown() -> None:
    assert "key" not in repr(Placeholders(LENT))
