from pathlib import Path

from server.record.segments import Segments


def test_files_are_read_oldest_first_and_the_written_one_last(tmp_path: Path) -> None:
    segments = Segments(tmp_path / "audit.jsonl")
    for name, text in ((segments.named(12).name, "b"), (segments.named(3).name, "a"), ("audit.jsonl", "c")):
        (tmp_path / name).write_text(text)
    for other in ("audit-12.jsonl", "audit-000000000001.json", "other-000000000001.jsonl", "audit.torn-000000000001-0"):
        (tmp_path / other).write_text("none of it")

    assert b"".join(file.read() for file in segments.opened()) == b"abc"


def test_one_that_is_closed_while_we_read_is_read_once(tmp_path: Path) -> None:
    segments = Segments(tmp_path / "audit.jsonl")
    segments.named(1).write_text("a")
    segments.current.write_text("b")
    read = []
    for file in segments.opened():
        read.append(file.read())
        if len(read) == 1:
            segments.current.rename(segments.named(2))
            segments.current.write_text("c")

    assert read == [b"a", b"b", b"c"]


def test_one_that_is_closed_right_before_it_is_opened_is_read_too(tmp_path: Path) -> None:
    class Closing(Segments):
        def closed(self) -> list[Path]:
            found = super().closed()
            if self.current.exists():
                self.current.rename(self.named(1))  # and the next is not there yet
            return found

    segments = Closing(tmp_path / "audit.jsonl")
    segments.current.write_text("a")

    assert [file.read() for file in segments.opened()] == [b"a"]


def test_what_is_kept_aside_twice_is_there_twice(tmp_path: Path) -> None:
    segments = Segments(tmp_path / "audit.jsonl")
    one, two = segments.keep_aside(4, b"x"), segments.keep_aside(4, b"y")

    assert (one.read_bytes(), two.read_bytes()) == (b"x", b"y")
