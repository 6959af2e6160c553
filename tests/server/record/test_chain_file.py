"""One chain in files on a real disk: of several writers, through rotation, a full disk, and crashes at any byte."""

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.record.chain import BrokenChain, encoded
from server.record.chain_file import NEVER, TAIL, ChainFile, Rotation
from server.record.reading import lines, verify
from server.record.segments import Segments


def chain(folder: Path, rotation: Rotation = NEVER) -> ChainFile:
    return ChainFile(folder / "audit.jsonl", "interval", rotation)


def note(file: ChainFile, number: int = 0) -> None:
    file.append("server.note", {"number": number})


def kinds(folder: Path) -> list[str]:
    return [line["kind"] for _, line in lines(folder / "audit.jsonl")]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def limited(size: int) -> Iterator[None]:
    """No file of this process grows beyond that: what a full disk does to a write, also in the middle of a line."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.promise("audit.chain")
@pytest.mark.parametrize("change", ["edit", "cut", "swap", "copy", "renumber"])
def test_a_changed_line_is_found(tmp_path: Path, change: str) -> None:
    ours = chain(tmp_path)
    for number in range(5):
        note(ours, number)
    path = tmp_path / "audit.jsonl"
    kept = path.read_text().splitlines()
    match change:
        case "edit":
            kept[1] = kept[1].replace('"number":1', '"number":7')
        case "cut":
            del kept[2]
        case "swap":
            kept[2], kept[3] = kept[3], kept[2]
        case "copy":
            kept.insert(2, kept[2])
        case _:
            kept[4] = kept[4].replace('"sequence":5', '"sequence":6')
    path.write_text("\n".join(kept) + "\n")

    with pytest.raises(BrokenChain, match="line "):
        verify(path)


def test_several_that_write_at_once_keep_one_chain_through_every_rotation(tmp_path: Path) -> None:
    def write(file: ChainFile) -> None:
        for number in range(50):
            note(file, number)

    writers = [chain(tmp_path, Rotation(bytes=4000)) for _ in range(3)]
    threads = [threading.Thread(target=write, args=(file,)) for file in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    found = verify(tmp_path / "audit.jsonl")
    assert kinds(tmp_path).count("server.note") == 150
    assert found.files > 5
    assert found.count == 150 + found.files - 1


def test_an_old_file_is_closed_as_a_large_one_is(tmp_path: Path) -> None:
    ours = chain(tmp_path, Rotation(age_s=1e-9))
    for number in range(3):
        note(ours, number)

    assert names(tmp_path) == ["audit-000000000001.jsonl", "audit-000000000003.jsonl", "audit.jsonl"]
    assert verify(tmp_path / "audit.jsonl").head.sequence == 5


def test_the_chain_goes_on_in_a_process_that_finds_only_closed_files(tmp_path: Path) -> None:
    """Whoever closed the last was ended before it began the next."""
    ours = chain(tmp_path, Rotation(bytes=1))
    note(ours)
    ours.append("audit.rotated", {"file": "audit-000000000009.jsonl"})
    ours.close()
    note(chain(tmp_path))

    assert kinds(tmp_path)[-1] == "server.note"
    assert "audit-000000000009.jsonl" in names(tmp_path)
    assert verify(tmp_path / "audit.jsonl").first == 1
    (tmp_path / "audit.jsonl").unlink()
    note(chain(tmp_path))
    assert verify(tmp_path / "audit.jsonl").files == len(names(tmp_path))


@pytest.mark.promise("audit.chain")
def test_what_the_settings_remove_is_said_and_what_anybody_else_removes_is_found(tmp_path: Path) -> None:
    ours = chain(tmp_path, Rotation(bytes=1, keep=2))
    for number in range(6):
        note(ours, number)

    found = verify(tmp_path / "audit.jsonl")
    assert found.files == 3
    assert found.first > 1
    Segments(tmp_path / "audit.jsonl").closed()[0].unlink()
    with pytest.raises(BrokenChain, match="no line says that it was removed"):
        verify(tmp_path / "audit.jsonl")


def test_a_disk_is_not_asked_to_keep_what_it_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, really = list[int](), os.fdatasync

    def keep(file: int) -> None:
        kept.append(file)
        really(file)

    monkeypatch.setattr(os, "fdatasync", keep)
    file = chain(tmp_path)
    for written in (1, 2):
        note(file)
        for _ in range(3):
            file.sync()
        assert len(kept) == written
    file.close()


def test_only_its_owner_reads_it_unless_the_owner_said_otherwise(tmp_path: Path) -> None:
    ours = chain(tmp_path / "audit", Rotation(bytes=1))
    note(ours)
    made = tmp_path / "audit/audit.jsonl"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (made.parent, made)] == [0o700, 0o600]
    made.chmod(0o640)
    note(ours)

    assert stat.S_IMODE(made.stat().st_mode) == 0o640


def test_readers_may_read_the_next_one_whichever_server_makes_it(tmp_path: Path) -> None:
    """Of two that write, the one that closes a file is rarely the one that makes the next."""
    closes, makes = chain(tmp_path, Rotation(bytes=1)), chain(tmp_path)
    note(makes)
    (tmp_path / "audit.jsonl").chmod(0o640)
    lets_go = closes._let_go

    def and_the_other_is_quicker() -> None:
        lets_go()
        note(makes)

    closes._let_go = and_the_other_is_quicker  # type: ignore[method-assign]
    note(closes)

    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o640, 0o640]


def test_a_file_that_others_may_write_is_not_written(tmp_path: Path) -> None:
    note(chain(tmp_path))
    (tmp_path / "audit.jsonl").chmod(0o666)

    with pytest.raises(PermissionError, match="would prove anything"):
        note(chain(tmp_path))


@pytest.mark.promise("audit.recovered")
@pytest.mark.parametrize("left", [b'{"sequence":2,"ki', b"\0" * 4096, b"[1]\n", b"\xff\n\xfe"], ids=repr)
def test_what_a_crash_left_of_a_line_is_kept_aside_and_said(tmp_path: Path, left: bytes) -> None:
    running = chain(tmp_path)
    note(running, 1)
    with (tmp_path / "audit.jsonl").open("ab") as file:
        file.write(left)
    note(running, 2)

    (aside,) = tmp_path.glob("audit.torn-*")
    assert aside.read_bytes() == left
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert kinds(tmp_path) == ["server.note", "server.recovered", "server.note"]
    assert verify(tmp_path / "audit.jsonl").count == 3
    note(chain(tmp_path), 3)
    assert verify(tmp_path / "audit.jsonl").count == 4


@pytest.mark.promise("audit.recovered")
def test_a_file_without_any_whole_line_is_kept_aside_whole(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_bytes(b"x" * (3 * TAIL))
    note(chain(tmp_path))

    assert verify(tmp_path / "audit.jsonl").count == 2


@pytest.mark.promise("audit.chain")
@pytest.mark.parametrize("attack", ["end", "file", "whole"])
def test_a_running_server_says_that_lines_of_its_own_are_gone(tmp_path: Path, attack: str) -> None:
    ours = chain(tmp_path)
    for number in range(3):
        note(ours, number)
    path = tmp_path / "audit.jsonl"
    match attack:
        case "end":
            path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
        case "file":
            path.unlink()
        case _:
            path.rename(tmp_path / "elsewhere")
            note(chain(tmp_path))
    ours.sync()
    note(ours, 4)

    said = next(line for _, line in lines(path) if line["kind"] == "server.recovered")
    assert (said["had"], said["reason"]) == (3, "lines that this server wrote are gone")


@pytest.mark.promise("audit.chain")
def test_a_line_that_the_disk_had_no_room_for_leaves_no_half_of_itself(tmp_path: Path) -> None:
    ours = chain(tmp_path)
    note(ours, 0)
    size = (tmp_path / "audit.jsonl").stat().st_size
    for more in (10, 0):
        with limited(size + more), pytest.raises(OSError, match=r"No space|File too large"):
            note(ours, 1)
        assert (tmp_path / "audit.jsonl").stat().st_size == size
    note(ours, 2)

    assert verify(tmp_path / "audit.jsonl").count == 2


@pytest.mark.promise("audit.chain")
def test_a_line_longer_than_one_look_back_is_still_continued(tmp_path: Path) -> None:
    one, two = chain(tmp_path), chain(tmp_path)
    one.append("server.note", {"text": "x" * (5 * TAIL)})
    note(two, 1)
    note(one, 2)

    assert verify(tmp_path / "audit.jsonl").count == 3


WRITER = """
import sys
from pathlib import Path
from server.record.chain_file import ChainFile, Rotation
file = ChainFile(Path(sys.argv[1]), "interval", Rotation(bytes=20_000))
while True:
    file.append("server.note", {"text": "x" * 700})
    print("x", flush=True)
"""


@pytest.mark.promise("audit.recovered")
def test_whatever_a_writer_was_doing_when_it_was_killed_the_chain_goes_on(tmp_path: Path) -> None:
    for _ in range(4):
        argv = [sys.executable, "-c", WRITER, str(tmp_path / "audit.jsonl")]
        writer = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(60):
            assert writer.stdout.readline()
        writer.kill()
        writer.wait(60)
        writer.stdout.close()
        note(chain(tmp_path))

    found = verify(tmp_path / "audit.jsonl")
    assert kinds(tmp_path).count("server.note") >= 4 * 61
    assert found.first == 1


def test_what_is_synced_and_closed_is_opened_again(tmp_path: Path) -> None:
    ours = ChainFile(tmp_path / "audit.jsonl", "always", NEVER)
    ours.sync()
    note(ours)
    ours.sync()
    ours.close()
    ours.close()
    written = ours.append("server.note", {"number": 1})

    assert encoded(written) + b"\n" == (tmp_path / "audit.jsonl").read_bytes().splitlines(keepends=True)[-1]
    assert json.loads(encoded(written))["sequence"] == 2
