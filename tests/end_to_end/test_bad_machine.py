"""What a person reads where something is missing: one sentence that says what to do, and no traceback."""

import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.rig import PROGRAM, Home, RawServer

NOBODY = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def said(home: Home, *argv: str) -> tuple[int, str]:
    done = subprocess.run([PROGRAM, *argv], env=home.environ, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_without_an_engine_a_call_is_answered_with_the_next_step(folder: Path) -> None:
    server = RawServer.start(Home(folder, extra=NOBODY))
    answer = server.shell("true")
    server.end(15)

    assert answer["isError"]
    assert "DOCKER_HOST" in answer["content"][0]["text"]


@pytest.mark.parametrize("argv", [("demo",), ("images", "build"), ("images", "list"), ("bench", "--calls", "1")])
def test_without_an_engine_commands_fail_in_one_sentence(folder: Path, argv: tuple[str, ...]) -> None:
    code, words = said(Home(folder, extra=NOBODY), *argv)

    assert code == 1
    assert words.startswith("sandgate: ")
    assert "DOCKER_HOST" in words
    assert words.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("serve", "--stdio", "--workspace", "/nowhere:rw"), "/nowhere"),
        (("serve", "--stdio", "--workspace", "/:ro"), "whole file system"),
        (("serve", "--stdio", "--config", "/nowhere.toml"), "/nowhere.toml"),
    ],
)
def test_a_bad_argument_is_one_sentence_and_a_failure(folder: Path, argv: tuple[str, ...], words: str) -> None:
    code, told = said(Home(folder), *argv)

    assert code == 1
    assert words in told
    assert told.count("\n") == 1


def test_an_unknown_key_is_named_with_its_file(tmp_path: Path, folder: Path) -> None:
    config = tmp_path / "sandgate.toml"
    config.write_text("[egress]\nalow = []\n")
    code, told = said(Home(folder), "serve", "--stdio", "--config", str(config))

    assert code == 1
    assert str(config) in told
    assert "egress.alow" in told


def test_a_path_too_long_for_sockets_is_refused_at_the_start(folder: Path) -> None:
    code, told = said(Home(folder, extra={"SANDGATE_RUNTIME_DIR": f"/tmp/{'x' * 100}"}), "serve", "--stdio")

    assert code == 1
    assert "SANDGATE_RUNTIME_DIR" in told


def test_an_image_that_is_not_there_says_how_to_get_it(folder: Path) -> None:
    home = Home(folder / "images", settings='[sandbox]\nimages = {python = "sandgate/absent"}\n')
    home.folder.mkdir()
    server = RawServer.start(home)
    answer = server.shell("true")
    server.end(15)

    assert "sandgate images build" in answer["content"][0]["text"]
