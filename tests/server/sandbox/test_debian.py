from pathlib import Path

import pytest

from server.sandbox.debian import NoDebian, bootstrap


def program(folder: Path, script: str) -> None:
    (folder / "mmdebstrap").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "mmdebstrap").chmod(0o755)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_progress_is_passed_on_and_the_tar_written(on_path: Path) -> None:
    program(on_path, 'echo "I: working" >&2; echo "noise" >&2; for last; do :; done; echo "$@" > "$last"')
    said: list[str] = []

    bootstrap(on_path / "out.tar", said.append)

    assert said == ["working"]
    assert "--variant=minbase" in (on_path / "out.tar").read_text()


def test_a_failure_carries_its_last_words(on_path: Path) -> None:
    program(on_path, 'echo "E: no mirror" >&2; exit 3')

    with pytest.raises(NoDebian, match="E: no mirror"):
        bootstrap(on_path / "out.tar", lambda _: None)


def test_without_the_program_it_says_how_to_get_it(on_path: Path) -> None:
    with pytest.raises(NoDebian, match="apt-get install mmdebstrap"):
        bootstrap(on_path / "out.tar", lambda _: None)
