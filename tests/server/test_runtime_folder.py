"""A server that a client started with next to nothing keeps its sockets where the user's shell looks for them."""

from pathlib import Path

from server.runtime_folder import runtime_folder


def test_what_is_said_is_taken(tmp_path: Path) -> None:
    assert runtime_folder({"XDG_RUNTIME_DIR": "/run/mine"}, 1000, tmp_path) == Path("/run/mine")


def test_unsaid_it_is_the_folder_of_the_login(tmp_path: Path) -> None:
    (tmp_path / "1000").mkdir()

    assert runtime_folder({}, 1000, tmp_path) == tmp_path / "1000"


def test_without_a_login_there_is_none(tmp_path: Path) -> None:
    assert runtime_folder({}, 1000, tmp_path) is None
