import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.sandbox.changes import Change, Changes, changes, contents
from server.sandbox.copies import Copies
from server.sandbox.manifest import Entry, Sent
from server.sandbox.sandbox import Copy
from server.sandbox.telling import HEAD, BadReading, records
from tests.fakes import FakeSandbox, FakeSource
from tests.live import ACCESS, BASE, engine, shell, using

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]
END = HEAD.pack(b".", 0, 0, 0, 0)
SHA = hashlib.sha256(b"x").digest()
FILE = Entry("file", 0o644, SHA.hex())


def record(kind: bytes, path: str, blob: bytes = b"", mode: int = 0o644, size: int = 0) -> bytes:
    return HEAD.pack(kind, mode, size, len(path.encode()), len(blob)) + path.encode() + blob


async def compared(names: bytes, hashes: bytes, **sent: Entry) -> Changes:
    box = FakeSandbox(tells={"names": names + END, "hashes": hashes + END})
    return await changes(box, using("/w"), Sent("/w", "/w", sent))


async def test_the_same_file_is_no_change_and_another_hash_or_mode_is() -> None:
    names = record(b"f", "a") + record(b"f", "b") + record(b"f", "c")
    hashes = record(b"f", "a", SHA) + record(b"f", "b", SHA, 0o755) + record(b"f", "c", bytes(32), size=9)
    found = await compared(names, hashes, a=FILE, b=FILE, c=FILE)

    assert found.changes == (
        Change("b", FILE, Entry("file", 0o755, SHA.hex())),
        Change("c", FILE, Entry("file", 0o644, "00" * 32), 9),
    )


async def test_what_git_ignores_inside_is_left_but_not_what_was_sent() -> None:
    names = (
        record(b"f", ".gitignore") + record(b"i", ".gitignore", b"*.o\nnm/\nsent\n")
        + record(b"f", "x.o") + record(b"d", "nm") + record(b"f", "nm/y") + record(b"d", "sent") + record(b"f", "sent/z") + record(b"f", "sent/new")
    )  # fmt: skip
    hashes = record(b"f", ".gitignore", SHA) + record(b"f", "sent/z", bytes(32))
    found = await compared(names, hashes, **{".gitignore": FILE, "sent": Entry("folder", 0o644), "sent/z": FILE})

    assert [change.path for change in found.changes] == ["sent/z"]
    assert found.ignored == ("x.o", "nm", "sent/new")


async def test_what_the_hosts_repository_leaves_out_is_left_there_too(tmp_path: Path) -> None:
    (tmp_path / ".git/info").mkdir(parents=True)
    (tmp_path / ".git/info/exclude").write_text("*.o\nsent.o\n")
    box = FakeSandbox(
        tells={
            "names": record(b"f", "new.o") + record(b"f", "sent.o") + record(b"f", "new.c") + END,
            "hashes": record(b"f", "sent.o", bytes(32)) + record(b"f", "new.c", SHA) + END,
        }
    )
    found = await changes(box, using("/w"), Sent(str(tmp_path), "/w", {"sent.o": FILE}))

    assert [change.path for change in found.changes] == ["new.c", "sent.o"]
    assert found.ignored == ("new.o",)


async def test_what_cannot_be_looked_into_is_not_taken_for_gone() -> None:
    names = record(b"d", "d", mode=0) + record(b"u", "d", b"Permission denied")
    found = await compared(names, b"", **{"d": Entry("folder", 0o755), "d/f": FILE, "gone": FILE})

    assert [(change.path, change.now) for change in found.changes] == [("gone", None)]
    assert found.unread == {"d": "Permission denied"}


async def test_a_link_is_its_target_and_a_fifo_is_no_file() -> None:
    names = record(b"l", "l", b"elsewhere", 0o777) + record(b"s", "f")
    found = await compared(names, b"", l=Entry("link", 0o777, "here"), f=FILE)

    assert found.changes == (
        Change("f", FILE, None),
        Change("l", Entry("link", 0o777, "here"), Entry("link", 0o777, "elsewhere")),
    )


@pytest.mark.promise("workspace.copy")
async def test_a_hash_that_is_none_is_not_believed() -> None:
    with pytest.raises(BadReading):
        await compared(record(b"f", "a"), record(b"f", "a", b"short"))


# --- with a real one ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(own_folder: Path) -> Path:
    (own_folder / "a").write_text("x")
    (own_folder / "a").chmod(0o644)
    (own_folder / "d").mkdir()
    (own_folder / "d/b").write_text("b")
    return own_folder


@pytest.mark.promise("workspace.copy")
async def test_a_hostile_tree_is_told_as_far_as_it_makes_sense(folder: Path) -> None:
    """Links, loops, FIFOs, devices' names, names of bytes, a deep way down, a closed folder: nothing blocks or leads out."""
    info = folder.stat()
    spec = replace(BASE, copies=(Copy(str(folder), str(folder), info.st_dev, info.st_ino),))
    script = r"""
    mkfifo fifo; ln -s / root; ln -s . loop; ln -s /proc/self/fd/0 magic; printf y > $'\xff\xfe'; ln a hard
    rm -r d; ln -s /etc d; mkdir closed; touch closed/x; chmod 0 closed; printf s > secret; chmod 0 secret
    python3 - <<'E'
import os
for _ in range(400):
    os.mkdir("deep"); os.chdir("deep")
E
    """
    async with engine() as made:
        source: Any = FakeSource()
        box = await made.create(spec)
        source.boxes = [box]
        copies = Copies(source, b"k" * 32, lambda _: None)
        await copies.claim(spec, ())
        said = await shell(box, f"cd {folder}; {script}", access=replace(ACCESS, write=(*ACCESS.write, str(folder))))
        (sent,) = await copies.sent(box)
        found = await changes(box, using(str(folder)), sent)
        with await contents(
            box, using(str(folder)), str(folder), ["a", "d/passwd", "fifo", "\udcff\udcfe"], 1000
        ) as file:
            parts = {one.path: (one.kind, one.size) for one in records(file, with_files=True)}
        await box.close()

    assert said.text == ""
    now = {change.path: change.now for change in found.changes if not change.path.startswith("deep")}
    assert now == {
        "d": Entry("link", 0o777, "/etc"), "d/b": None, "hard": Entry("file", 0o644, SHA.hex()), "loop": Entry("link", 0o777, "."),
        "magic": Entry("link", 0o777, "/proc/self/fd/0"), "root": Entry("link", 0o777, "/"),
        "\udcff\udcfe": Entry("file", 0o644, hashlib.sha256(b"y").hexdigest()),
    }  # fmt: skip
    assert {path: why for path, why in found.unread.items() if not path.startswith("deep")} == {
        "closed": "Permission denied", "secret": "Permission denied",
    }  # fmt: skip
    assert any(why == "too many folders deep" for why in found.unread.values())
    assert parts["a"] == (b"f", 1)
    assert parts["d/passwd"][0] == b"u"
    assert parts["fifo"] == (b"f", 0)
    assert parts["\udcff\udcfe"] == (b"f", 1)
