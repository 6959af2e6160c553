import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from server.sandbox.host_folder import Held, opened
from server.sandbox.ignore import Ignore
from server.sandbox.manifest import Entry
from server.sandbox.sending import Sending, Stopped
from server.sandbox.survey import survey

OWNER = (1000, 1000)


def packed(folder: Path) -> tuple[Sending, tarfile.TarFile]:
    with opened(folder) as root:
        sending = Sending(Held(root), "/home/me/project", OWNER)
        found = survey(root, Ignore())
    data = b"".join(sending.stream(0o750, found.items))
    return sending, tarfile.open(fileobj=io.BytesIO(data))


def test_what_is_sent_is_what_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir(mode=0o700)
    (tmp_path / "sub/file").write_bytes(b"x" * 3_000_000)
    (tmp_path / "sub/file").chmod(0o755)
    (tmp_path / "link").symlink_to("sub/file")

    sending, tar = packed(tmp_path)

    members = {member.name: member for member in tar}
    assert list(members) == [
        "home/me/project", "home/me/project/link", "home/me/project/sub", "home/me/project/sub/file",
    ]  # fmt: skip
    assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(1000, 1000, "")}
    assert members["home/me/project"].mode == 0o750
    assert sending.entries == {
        "link": Entry("link", 0o777, "sub/file"),
        "sub": Entry("folder", 0o700),
        "sub/file": Entry("file", 0o755, hashlib.sha256(b"x" * 3_000_000).hexdigest()),
    }
    assert (sending.files, sending.total, sending.unread) == (3, 3_000_000, [])


@pytest.mark.parametrize("name", ["a" * 255, "\udcff\udcfe", "new\nline", "ü" * 100, "-rf"])
def test_odd_names_travel_unchanged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")

    sending, tar = packed(tmp_path)

    assert list(sending.entries) == [name]
    assert tar.getnames()[-1] == f"home/me/project/{name}"


def test_a_long_way_down_travels_unchanged(tmp_path: Path) -> None:
    way = "/".join(["d" * 100] * 15)
    (tmp_path / way).mkdir(parents=True)
    (tmp_path / way / "f").touch()

    assert packed(tmp_path)[1].getnames()[-1].endswith(f"{way}/f")


@pytest.mark.promise("workspace.copy")
def test_a_file_swapped_for_a_link_after_the_look_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/deep").touch()
    (folder / "file").touch()
    with opened(folder) as root:
        sending, found = Sending(Held(root), "/w", OWNER), survey(root, Ignore())
    (folder / "file").unlink()
    (folder / "file").symlink_to(tmp_path / "secret")
    (folder / "sub/deep").unlink()
    (folder / "sub").rmdir()
    (folder / "sub").symlink_to(tmp_path)

    data = b"".join(sending.stream(0o755, found.items))

    assert b"secret" not in data
    assert sending.unread == ["file", "sub/deep"]


def test_a_file_that_shrinks_meanwhile_is_remembered_as_it_was_sent(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 2_500_000)
    with opened(tmp_path) as root:
        sending, found = Sending(Held(root), "/w", OWNER), survey(root, Ignore())
    stream = sending.stream(0o755, found.items)
    first = next(stream)
    os.truncate(tmp_path / "a", 10)
    data = first + b"".join(stream)

    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        member = tar.extractfile("w/a")
        assert member is not None
        content = member.read()
    assert len(content) == 2_500_000
    assert sending.entries["a"].content == hashlib.sha256(content).hexdigest()


def test_a_copy_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with opened(tmp_path) as root:
        sending, found = Sending(Held(root), "/w", OWNER), survey(root, Ignore())
    sending.stopped = True

    with pytest.raises(Stopped):
        list(sending.stream(0o755, found.items))
