import re
from pathlib import Path

import pytest

from server.sandbox.manifest import key_of
from server.sandbox.placeholders import Lent, Placeholders
from server.settings.secret import SecretSettings
from server.settings.settings import Settings
from server.wiring.egress import lent_by

LENT = (Lent("one", "ONE"), Lent("two", "TWO", "sk-"))


@pytest.mark.promise("secrets.outside")
def test_each_secret_and_sandbox_has_its_own_and_no_two_keys_agree() -> None:
    placeholders = Placeholders(LENT)
    texts = [
        *placeholders.by_name("a", ("one", "two")).values(),
        *placeholders.by_name("b", ("one", "two")).values(),
        *Placeholders(LENT).by_name("a", ("one", "two")).values(),
    ]

    assert len(set(texts)) == 6
    assert all(re.fullmatch(r"(sk-)?sandgate_[0-9a-f]{32}", text) for text in texts)


def test_the_sandbox_and_the_gate_are_told_the_same() -> None:
    placeholders = Placeholders(LENT)
    told = placeholders.by_name("a", ("one", "two"))

    assert placeholders.variables("a", ("one", "two")) == {"ONE": told["one"], "TWO": told["two"]}


@pytest.mark.promise("secrets.outside")
def test_a_sandbox_that_has_one_of_them_knows_nothing_of_the_other() -> None:
    placeholders = Placeholders(LENT)

    assert list(placeholders.by_name("a", ("two",))) == ["two"]
    assert list(placeholders.variables("a", ("two",))) == ["TWO"]


def test_a_server_that_has_the_key_tells_the_same(tmp_path: Path) -> None:
    """A session goes on with another server, and its files with what was written there."""
    secret = SecretSettings(name="one", variable="ONE", host="api.example", file=tmp_path / "value")
    settings = Settings(state_dir=tmp_path, secret=(secret,))

    assert lent_by(settings).variables("a", ("one",)) == lent_by(settings).variables("a", ("one",))
    assert lent_by(settings).key != key_of(tmp_path)


def test_its_key_is_not_shown() -> None:
    assert "key" not in repr(Placeholders(LENT))
