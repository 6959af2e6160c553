from pathlib import Path

import pytest

from server.sandbox.folders import LOCK, NotPrivate, own

pytestmark = pytest.mark.promise("nothing.left")


def test_a_server_leaves_no_folder(tmp_path: Path) -> None:
    runtime, output = tmp_path / "run", tmp_path / "jobs"
    with own(runtime, output, "one") as ours:
        (ours.sockets / "box").mkdir()
        (ours.output / "box").mkdir()

    assert [path for place in (runtime, output) for path in place.iterdir() if path.is_dir()] == []


def test_what_a_dead_server_left_is_swept_and_a_live_ones_is_not(tmp_path: Path) -> None:
    runtime, output = tmp_path / "run", tmp_path / "jobs"
    with own(runtime, output, "live") as live:
        dead = runtime / "dead"
        dead.mkdir()
        (dead / LOCK).touch()
        (output / "dead").mkdir()
        with own(runtime, output, "new"):
            assert not dead.exists()
            assert not (output / "dead").exists()
            assert live.sockets.exists()


def test_servers_that_share_only_the_state_leave_each_others_output_alone(tmp_path: Path) -> None:
    with own(tmp_path / "run", tmp_path / "jobs", "one") as one, own(tmp_path / "other", tmp_path / "jobs", "two"):
        assert one.output.exists()


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o755)
    runtime.chmod(0o755)

    with pytest.raises(NotPrivate), own(runtime, tmp_path / "jobs", "one"):
        pass


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotPrivate), own(tmp_path / "run", tmp_path / "jobs", "one"):
        pass


def test_a_path_too_long_for_sockets_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)

    with pytest.raises(NotPrivate, match="SANDGATE_RUNTIME_DIR"), own(deep, tmp_path / "jobs", "one"):
        pass
    assert not deep.exists()


def test_a_file_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run").touch()

    with pytest.raises(NotPrivate), own(tmp_path / "run", tmp_path / "jobs", "one"):
        pass
