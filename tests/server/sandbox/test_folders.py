import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.sandbox.folders import LOCK, NotPrivate, _remove, own

pytestmark = pytest.mark.promise("nothing.left")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Short as a runtime folder is; pytest's own are too long for sockets below them."""
    with tempfile.TemporaryDirectory(prefix="sg") as made:
        yield Path(made)


def none() -> frozenset[str]:
    return frozenset()


def boxes() -> frozenset[str]:
    return frozenset({"waiting", "session"})


def test_a_server_leaves_no_folder(tmp_path: Path) -> None:
    runtime, state = tmp_path / "run", tmp_path / "state"
    with own(runtime, state, "one", none) as ours:
        (ours.sockets / "box").mkdir()

    assert [path for place in (runtime, state / "servers") for path in place.iterdir() if path.is_dir()] == []


def test_what_a_dead_server_left_is_swept_and_a_live_ones_is_not(tmp_path: Path) -> None:
    runtime, state = tmp_path / "run", tmp_path / "state"
    with own(runtime, state, "live", none) as live:
        (live.sockets / "box").mkdir()
        for dead in (runtime / "dead", state / "servers/dead"):
            (dead / "box").mkdir(parents=True)
            (dead / LOCK).touch()
        (state / "jobs/over").mkdir(parents=True)
        with own(runtime, state, "new", none) as new:
            assert {path.name for path in runtime.iterdir() if path.is_dir()} == {"live", "new"}
            assert (live.sockets / "box").exists()
            assert list(new.output.iterdir()) == []
            assert [new.alive(server) for server in ("live", "new", "dead", "never")] == [True, True, False, False]


def test_a_folder_that_goes_while_it_is_swept_is_no_trouble(tmp_path: Path) -> None:
    class Going(type(tmp_path)):  # type: ignore[misc]
        """Its server ends right after somebody saw that it is there."""

        def is_dir(self) -> bool:
            found = bool(super().is_dir())
            shutil.rmtree(self)
            return found

    dead = Going(tmp_path / "dead")
    dead.mkdir()
    for _ in range(2):  # the second time there is nothing
        _remove(dead, none())


def test_of_several_who_look_at_once_none_takes_another_for_the_server(tmp_path: Path) -> None:
    dead = tmp_path / "state/servers/dead"
    with own(tmp_path / "run", tmp_path / "state", "one", none) as one:
        dead.mkdir()
        with (dead / LOCK).open("w") as looked_at:
            fcntl.flock(looked_at, fcntl.LOCK_SH)  # as whoever looks has it for a moment
            assert not one.alive("dead")


def test_a_server_that_is_about_to_end_says_so_for_as_long_as_it_lives(tmp_path: Path) -> None:
    with own(tmp_path / "run", tmp_path / "state", "one", none) as one:
        with own(tmp_path / "run", tmp_path / "state", "two", none) as two:
            before = one.ends("two")
            two.ending()
            assert (before, one.ends("two"), one.alive("two")) == (False, True, True)
        assert not one.ends("two")


def test_what_a_sandbox_that_waits_needs_stays_until_it_is_written_down_no_more(tmp_path: Path) -> None:
    runtime, state = tmp_path / "run", tmp_path / "state"
    for folder in (runtime / "dead/waiting", runtime / "dead/other", state / "jobs/session"):
        folder.mkdir(parents=True)
    runtime.chmod(0o700)
    with own(runtime, state, "new", boxes):
        assert (runtime / "dead/waiting").exists()
        assert not (runtime / "dead/other").exists()
        assert (state / "jobs/session").exists()
    with own(runtime, state, "newer", none):
        assert not (runtime / "dead").exists()
        assert not (state / "jobs/session").exists()


def test_a_server_that_ends_leaves_only_what_may_be_adopted(tmp_path: Path) -> None:
    runtime, state = tmp_path / "run", tmp_path / "state"
    with own(runtime, state, "one", boxes) as ours:
        for name in ("waiting", "other"):
            (ours.sockets / name).mkdir()

    assert [path.name for path in (runtime / "one").iterdir() if path.is_dir()] == ["waiting"]
    assert not ours.alive("one")


def test_a_server_that_ends_takes_along_what_it_adopted_of_a_dead_one(tmp_path: Path) -> None:
    runtime, state = tmp_path / "run", tmp_path / "state"
    waiting = runtime / "dead/waiting"
    waiting.mkdir(parents=True)
    runtime.chmod(0o700)
    written = {"waiting"}
    with own(runtime, state, "one", lambda: frozenset(written)):
        written.clear()
        assert waiting.exists()

    assert [path for path in runtime.iterdir() if path.is_dir()] == []


def test_servers_that_share_only_the_state_leave_each_others_sockets_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with own(tmp_path / "run", state, "one", none) as one, own(tmp_path / "other", state, "two", none) as two:
        assert one.sockets.exists()
        assert two.alive("one")


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o755)
    runtime.chmod(0o755)

    with pytest.raises(NotPrivate), own(runtime, tmp_path / "state", "one", none):
        pass


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotPrivate), own(tmp_path / "run", tmp_path / "state", "one", none):
        pass


def test_a_path_too_long_for_sockets_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)

    with pytest.raises(NotPrivate, match="SANDGATE_RUNTIME_DIR"), own(deep, tmp_path / "state", "one", none):
        pass
    assert not deep.exists()


def test_a_file_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run").touch()

    with pytest.raises(NotPrivate), own(tmp_path / "run", tmp_path / "state", "one", none):
        pass
