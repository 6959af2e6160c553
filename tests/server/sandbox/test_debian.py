import shutil
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
    work = 'echo "I: using /tmp/x as tempdir..." >&2; echo "I: extracting archives..." >&2; echo "noise" >&2'
    program(on_path, f'{work}; for last; do :; done; echo "$@" > "$last"')
    said: list[str] = []

    bootstrap(on_path / "out.tar", said.append)

    assert said == ["extracting archives"]
    assert "--variant=minbase" in (on_path / "out.tar").read_text()


def test_a_failure_carries_its_last_words(on_path: Path) -> None:
    program(on_path, 'echo "E: no mirror" >&2; echo "E: mmdebstrap failed to run" >&2; exit 3')

    with pytest.raises(NoDebian, match="mmdebstrap failed: E: no mirror") as failed:
        bootstrap(on_path / "out.tar", lambda _: None)

    assert failed.value.log == "E: no mirror\nE: mmdebstrap failed to run"


@pytest.mark.soak  # apt tries four times
@pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="mmdebstrap is not installed")
def test_without_a_mirror_it_says_to_check_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # where nobody listens

    with pytest.raises(NoDebian, match="mmdebstrap failed: E: Failed to fetch") as failed:
        bootstrap(tmp_path / "out.tar", lambda _: None)

    assert failed.value.advice.startswith("Debian's mirror cannot be reached: check the network")


def test_without_the_program_it_says_how_to_get_it(on_path: Path) -> None:
    with pytest.raises(NoDebian, match="mmdebstrap is not installed") as missing:
        bootstrap(on_path / "out.tar", lambda _: None)

    assert missing.value.advice == "Install it (sudo apt-get install mmdebstrap)"
