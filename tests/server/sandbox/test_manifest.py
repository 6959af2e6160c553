from pathlib import Path

import pytest

from server.sandbox.manifest import Entry, NotOurs, Sent, key_of, seal, unseal

KEY = b"k" * 32
SENT = Sent(
    "/srv/x",
    "/srv/x",
    {"a": Entry("file", 0o644, "00ff"), "d": Entry("folder", 0o755), "l\udcff": Entry("link", 0o777, "a")},
)


def test_what_was_sent_is_read_back_as_it_was_names_of_bytes_included() -> None:
    assert unseal(seal((SENT,), KEY), KEY) == (SENT,)


@pytest.mark.promise("workspace.copy")
@pytest.mark.parametrize("place", [0, 31, 32, 60])
def test_a_record_that_somebody_changed_is_not_believed(place: int) -> None:
    sealed = bytearray(seal((SENT,), KEY))
    sealed[place] ^= 1
    with pytest.raises(NotOurs):
        unseal(bytes(sealed), KEY)


@pytest.mark.promise("workspace.copy")
@pytest.mark.parametrize("data", [b"", b"short", bytes(100)])
def test_what_is_no_record_at_all_is_not_believed(data: bytes) -> None:
    with pytest.raises(NotOurs):
        unseal(data, KEY)


def test_another_installations_record_is_not_ours() -> None:
    with pytest.raises(NotOurs):
        unseal(seal((SENT,), KEY), b"x" * 32)


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = key_of(tmp_path / "state")

    assert len(key) == 32
    assert key_of(tmp_path / "state") == key
    assert (tmp_path / "state" / "copies.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["copies.key"]


def test_two_entries_are_the_same_by_kind_content_and_mode() -> None:
    assert Entry("file", 0o644, "a").same_as(Entry("file", 0o644, "a"))
    assert not Entry("file", 0o644, "a").same_as(Entry("file", 0o755, "a"))
    assert Entry("link", 0o777, "a").same_as(Entry("link", 0o755, "a"))
    assert not Entry("folder", 0o755).same_as(None)
