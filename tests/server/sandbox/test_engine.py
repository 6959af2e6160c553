import json
import os
import socket
from pathlib import Path

import pytest

from server.sandbox import engine
from server.sandbox.engine import (
    NoAnswer,
    NoEngine,
    Unreachable,
    candidates,
    data_root,
    find_engine,
    free_bytes,
    get_json,
    private_url,
    probe,
)
from tests.fake_engine import ENGINE, fake_engine
from tests.real_engine import engine_url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without an engine, on a machine without the system's."""
    monkeypatch.setattr(engine, "_SYSTEM_SOCKET", tmp_path / "var-run-docker.sock")
    return tmp_path


def context(home: Path, name: str, host: str, *, current: bool = True) -> None:
    meta = home / ".docker/contexts/meta/abc/meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    if current:
        (home / ".docker/config.json").write_text(json.dumps({"currentContext": name}))


def test_docker_host_comes_first(home: Path) -> None:
    context(home, "work", "unix:///elsewhere")

    with fake_engine(home / "chosen.sock") as url:
        found = find_engine({"DOCKER_HOST": url}, home, home)

    assert (found.url, found.source, found.version, found.kernel) == (url, "DOCKER_HOST", "99.1", "6.1.0-fake")


def test_a_docker_host_that_does_not_answer_is_an_error_though_another_engine_would(home: Path) -> None:
    with (
        fake_engine(home / ".docker/run/docker.sock"),
        pytest.raises(NoEngine, match=r"DOCKER_HOST.*no such socket") as no,
    ):
        find_engine({"DOCKER_HOST": f"unix://{home}/gone.sock"}, home, home)

    assert no.value.chosen


def test_the_current_context_is_used(home: Path) -> None:
    with fake_engine(home / "context.sock") as url:
        context(home, "work", url)

        assert find_engine({}, home, home).source == "the Docker context 'work'"


def test_docker_context_names_another_context_than_the_current(home: Path) -> None:
    context(home, "work", "unix:///work.sock", current=False)

    assert next(candidates({"DOCKER_CONTEXT": "work"}, home, home)).url == "unix:///work.sock"


def test_docker_config_moves_the_folder_of_contexts(home: Path) -> None:
    context(home, "work", "unix:///work.sock")

    assert next(candidates({"DOCKER_CONFIG": str(home / ".docker")}, home / "other", home)).url == "unix:///work.sock"


def test_the_default_context_means_the_usual_sockets(home: Path) -> None:
    assert next(candidates({"DOCKER_CONTEXT": "default"}, home, home)).source == "a usual socket"


def test_a_context_that_does_not_answer_is_an_error(home: Path) -> None:
    context(home, "work", f"unix://{home}/gone.sock")

    with fake_engine(home / ".docker/run/docker.sock"), pytest.raises(NoEngine, match="context 'work'"):
        find_engine({}, home, home)


def test_a_context_that_does_not_exist_is_an_error(home: Path) -> None:
    with pytest.raises(NoEngine, match="'nowhere' is chosen"):
        find_engine({"DOCKER_CONTEXT": "nowhere"}, home, home)


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_an_unreadable_docker_config_is_said_and_an_odd_one_ignored(home: Path, text: str) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text(text)

    with pytest.raises(NoEngine, match="Tried" if text == "[1]" else "cannot be read"):
        find_engine({}, home, home)


@pytest.mark.parametrize("place", ["runtime/docker.sock", ".docker/desktop/docker.sock", ".colima/default/docker.sock"])
def test_a_usual_socket_is_found(home: Path, place: str) -> None:
    with fake_engine(home / place) as url:
        assert find_engine({"XDG_RUNTIME_DIR": f"{home}/runtime"}, home, home).url == url


def test_the_private_engine_comes_last(home: Path) -> None:
    assert [one.url for one in candidates({}, home, home / "state")][-1] == private_url(home / "state")

    with fake_engine(home / "state/engine/docker.sock"):
        assert find_engine({}, home, home / "state").source == "the private engine"


def test_when_nothing_answers_the_sentence_says_what_was_tried_and_what_to_do(home: Path) -> None:
    with pytest.raises(NoEngine) as no:
        find_engine({}, home, home)

    assert f"{home}/.orbstack/run/docker.sock, {home}/engine/docker.sock (no such socket)" in str(no.value)
    assert str(no.value).count("no such socket") == 1
    assert "sandgate engine ensure" in str(no.value)
    assert not no.value.chosen


def test_permission_denied_says_how_to_get_it() -> None:
    assert "group docker" in engine._why("unix:///x", PermissionError(), 2)


def test_a_dead_socket_file_says_that_nobody_listens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))

    with pytest.raises(Unreachable, match="nobody listens"):
        probe(f"unix://{tmp_path}/dead.sock", "")


def test_an_engine_that_hangs_is_given_up_on(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()

        with pytest.raises(Unreachable, match="no answer within"):
            probe(f"unix://{tmp_path}/silent.sock", "", timeout_s=0.2)


def test_one_that_is_slow_is_found_where_no_other_answers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(url: str, source: str, timeout_s: float) -> engine.Engine:
        if timeout_s < engine.PATIENCE_S:
            raise NoAnswer("not yet")
        return probe(url, source)

    monkeypatch.setattr(engine, "probe", slow)
    with fake_engine(home / ".docker/run/docker.sock") as url:
        found = [find_engine(environ, home, home).url for environ in ({}, {"DOCKER_HOST": url})]

    assert found == [url, url]


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"/_ping": b"<html>"}, "not a container engine"),
        ({}, "HTTP 404"),
        ({**ENGINE, "/version": b"{"}, "not JSON"),
        ({**ENGINE, "/version": b"[]"}, "unknown shape"),
    ],
)
def test_what_is_no_engine_is_not_taken_for_one(tmp_path: Path, answers: dict[str, bytes], sentence: str) -> None:
    with fake_engine(tmp_path / "odd.sock", answers) as url, pytest.raises(Unreachable, match=sentence):
        probe(url, "")


@pytest.mark.parametrize("url", ["ssh://me@host", "npipe:////./pipe/docker", "", "tcp://"])
def test_an_address_of_another_kind_is_named(url: str) -> None:
    with pytest.raises(Unreachable, match="not supported"):
        probe(url, "")


def test_a_plain_tcp_address_is_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(Unreachable, match="nobody listens"):
        probe(f"tcp://127.0.0.1:{port}", "")


def test_a_path_too_long_for_a_socket_is_said() -> None:
    with pytest.raises(Unreachable, match="107 bytes"):
        probe(f"unix:///{'x' * 120}", "")


def test_the_real_engine_answers() -> None:
    found = probe(engine_url(), "here")

    assert found.version[0].isdigit()
    assert found.kernel == os.uname().release
    assert get_json(found.url, "/info")["OSType"] == "linux"


@pytest.mark.parametrize("folder", ["", "/nowhere", f"/{'x' * 300}"], ids=["unsaid", "not here", "an error to look at"])
def test_where_an_engine_keeps_its_data_is_a_folder_that_can_be_seen_here(tmp_path: Path, folder: str) -> None:
    """A user in the group docker may enter neither an engine's folder nor, at times, what it lies in."""
    assert data_root("unix:///a.sock", {"DockerRootDir": str(tmp_path)}) == tmp_path
    assert data_root("tcp://far:2375", {"DockerRootDir": str(tmp_path)}) is None
    assert data_root("unix:///a.sock", {"DockerRootDir": folder}) is None


def test_of_a_folder_that_is_gone_nobody_knows_the_room(tmp_path: Path) -> None:
    """An engine may be taken away with all that it had while a server looks at it twice a second."""
    assert (free_bytes(tmp_path) or 0) > 0
    assert free_bytes(tmp_path / "gone") is None
