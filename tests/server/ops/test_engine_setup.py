import json
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from server import cli
from server.ops import apt, engine_setup
from server.ops.engine_setup import advice, ensure, status, stop
from server.sandbox import engine
from server.sandbox.engine import NoEngine
from tests.fake_engine import fake_engine
from tests.server.ops.commands import Said, programs


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without an engine, on a machine without the system's."""
    monkeypatch.setattr(engine, "_SYSTEM_SOCKET", tmp_path / "var-run-docker.sock")
    return tmp_path


def test_an_engine_that_answers_is_used_and_named(home: Path) -> None:
    said: list[str] = []

    with fake_engine(home / "one.sock") as url:
        found = ensure({"DOCKER_HOST": url}, home, home, said.append)

    assert found.url == url
    assert said == [f"Docker 99.1 answers at {url} (DOCKER_HOST)."]


def test_an_engine_that_was_named_and_is_down_is_not_replaced(home: Path) -> None:
    with pytest.raises(NoEngine, match="DOCKER_HOST"):
        ensure({"DOCKER_HOST": f"unix://{home}/gone.sock"}, home, home)


def test_without_root_the_sentence_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(NoEngine) as no:
        ensure({}, home, home)

    assert str(no.value).endswith(f"(no such socket). {advice()}")


def test_a_private_engine_that_does_not_start_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    environ = programs(home, dockerd="exit 1")

    with pytest.raises(NoEngine, match="too deep"):
        ensure(environ, home, home / ("x" * 90))


@pytest.mark.parametrize(
    ("platform", "release", "word"),
    [
        ("darwin", "", "Colima"),
        ("win32", "", "WSL 2"),
        ("linux", "ID=debian", "apt-get"),
        ("linux", 'ID=ubuntu\nID_LIKE="debian"', "apt-get"),
        ("linux", "ID=fedora", "package manager"),
    ],
)
def test_the_advice_fits_the_platform(tmp_path: Path, platform: str, release: str, word: str) -> None:
    (tmp_path / "os-release").write_text(release)

    assert word in advice(platform, tmp_path / "os-release")


def test_status_names_the_engine_or_says_that_there_is_none(home: Path) -> None:
    assert status({}, home, home).sentence.startswith("No container engine answers")

    with fake_engine(home / "engine/docker.sock"):
        found = status({}, home, home)
    assert found.engine is not None
    assert not stop(home)


def test_what_is_installed_is_an_engine_with_what_it_needs_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = home / "log"
    monkeypatch.setattr(apt, "is_debian", lambda _: True)
    monkeypatch.setattr(apt, "_POLICY", home / "policy-rc.d")

    engine_setup._install(programs(home, apt_get=f'echo "$@" >>{log}', apt_cache="exit 1"), lambda _: None)
    with pytest.raises(NoEngine, match=r"update` failed with code 100"):
        engine_setup._install(programs(home, apt_get="exit 100"), lambda _: None)

    packages = "docker.io iptables mmdebstrap debian-archive-keyring"
    assert log.read_text().splitlines()[1].startswith(f"-q install -y --no-install-recommends {packages}")


def test_nothing_is_installed_elsewhere_than_on_debian(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "is_debian", lambda _: False)

    with pytest.raises(NoEngine, match="only on Debian or Ubuntu"):
        engine_setup._install({}, lambda _: None)


def test_a_kernel_with_apparmor_gets_its_parser(tmp_path: Path) -> None:
    enabled = tmp_path / "enabled"
    enabled.write_text("Y\n")
    environ = programs(tmp_path, apt_cache="exit 1")

    assert engine_setup._needed_here(environ, enabled) == ["apparmor"]
    assert engine_setup._needed_here(environ, tmp_path / "gone") == []


@pytest.mark.parametrize("answers", [True, False])
def test_a_program_reads_which_engine_it_is(
    machine: Path, own_folder: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    url = f"unix://{machine}/none.sock"
    with fake_engine(own_folder / "one.sock") if answers else nullcontext(url) as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        code = cli.main(["engine", "status", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == (0 if answers else 1)
    assert (told["engine"] or {}).get("url") == (url if answers else None)
    assert url in told["sentence"]
