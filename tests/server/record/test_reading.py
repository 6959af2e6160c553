"""The audit read back, through all of its files, and against what was written down elsewhere."""

import fcntl
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from server.record.chain import GENESIS, Anchor, BrokenChain, Head
from server.record.chain_file import NEVER, ChainFile, Rotation
from server.record.reading import lines, verify
from server.record.segments import Segments
from tests.waiting import until

pytestmark = pytest.mark.promise("audit.chain")


def written(path: Path, count: int, rotation: Rotation = NEVER) -> list[Head]:
    """Where the chain stood after each."""
    file, heads = ChainFile(path, "interval", rotation), list[Head]()
    for number in range(count):
        file.append("server.note", {"number": number})
        heads.append(file.head)
    file.close()
    return heads


def anchor(head: Head) -> Anchor:
    return Anchor(head.digest, head.sequence)


def test_lines_of_all_files_come_in_order(tmp_path: Path) -> None:
    written(tmp_path / "audit.jsonl", 20, Rotation(bytes=1000))

    found = list(lines(tmp_path / "audit.jsonl"))
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    assert [line["number"] for _, line in found if line["kind"] == "server.note"] == list(range(20))


def test_of_no_audit_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(lines(tmp_path / "x/audit.jsonl")) == []
    assert verify(tmp_path / "audit.jsonl").head == Head()


def test_what_was_written_down_elsewhere_fits_as_long_as_nobody_wrote_the_audit_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    heads = written(path, 5)

    assert verify(path, [anchor(heads[1]), Anchor(heads[4].digest)]).count == 5
    path.unlink()
    written(path, 5)
    assert verify(path).count == 5
    with pytest.raises(BrokenChain, match="line 2 is not the one that the anchor knows"):
        verify(path, [anchor(heads[1])])
    with pytest.raises(BrokenChain, match="no line has the digest"):
        verify(path, [Anchor(heads[4].digest)])


def test_an_end_that_was_cut_is_found_by_the_anchor(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    heads = written(path, 5)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))

    assert verify(path).count == 3
    with pytest.raises(BrokenChain, match="its end was cut"):
        verify(path, [anchor(heads[4])])


def test_an_anchor_of_what_the_settings_removed_is_told_as_past(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    heads = written(path, 9, Rotation(bytes=1, keep=1))

    found = verify(path, [anchor(heads[0]), anchor(heads[-1])])
    assert (found.past, found.first > 1) == (1, True)


def test_a_file_between_two_that_is_missing_is_found(tmp_path: Path) -> None:
    written(tmp_path / "audit.jsonl", 20, Rotation(bytes=1000))
    sorted(tmp_path.glob("audit-*"))[1].unlink()

    with pytest.raises(BrokenChain, match="does not continue"):
        verify(tmp_path / "audit.jsonl")


@pytest.mark.parametrize(
    ("end", "said"), [(b'{"half', "cut short"), (b"[]\n", "not a line"), (b"\n", "not a line"), (b"{}\n", "not a line")]
)
def test_what_is_no_line_is_named_by_its_number(tmp_path: Path, end: bytes, said: str) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 2)
    with path.open("ab") as file:
        file.write(end)

    with pytest.raises(BrokenChain, match=f"line 3 .*{said}"):
        verify(path)
    assert [line.get("kind") for _, line in lines(path)][:2] == ["server.note", "server.note"]


def test_a_line_that_is_just_being_written_is_not_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 3)
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    waits = rf"-> FLOCK .*:{path.stat().st_ino} "
    with ThreadPoolExecutor(1) as pool, path.open("ab") as server:
        fcntl.flock(server, fcntl.LOCK_EX)
        found = pool.submit(verify, path)
        until(lambda: found.done() or re.search(waits, Path("/proc/locks").read_text()))
        server.write(content[-10:])
        server.close()

        assert found.result().count == 3


def test_a_beginning_is_no_anchor_of_anything(tmp_path: Path) -> None:
    written(tmp_path / "audit.jsonl", 1)

    with pytest.raises(BrokenChain):
        verify(tmp_path / "audit.jsonl", [Anchor(GENESIS)])


def test_files_that_the_settings_remove_meanwhile_are_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened = tmp_path / "audit.jsonl", Segments.opened
    server = ChainFile(path, "interval", Rotation(bytes=1, keep=2))
    for number in range(4):
        server.append("server.note", {"number": number})

    def with_a_busy_server(ours: Segments) -> Iterator[IO[bytes]]:
        for file in opened(ours):
            yield file
            if server.head.sequence == before:  # the first file is read, and the next one goes
                for number in range(2):
                    server.append("server.note", {"number": number})

    before = server.head.sequence
    monkeypatch.setattr(Segments, "opened", with_a_busy_server)

    assert verify(path).head == server.head


def test_of_several_files_that_go_some_may_be_there_still(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 4, Rotation(bytes=1))
    *_, last = going = sorted(tmp_path.glob("audit-*"))[:2]
    kept = last.read_bytes()
    written(path, 1, Rotation(bytes=1, keep=2))
    assert not any(each.exists() for each in going)
    last.write_bytes(kept)

    assert verify(path).first > 1
