import os
from pathlib import Path

import pytest

from server.ops import engine_setup
from server.ops.engine_setup import advice, ensure, status, stop
from server.sandbox import engine
from server.sandbox.engine import NoEngine
from tests.fake_engine import fake_engine


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without an engine, on a machine without the system's."""
    monkeypatch.setattr(engine, "_SYSTEM_SOCKET", tmp_path / "var-run-docker.sock")
    return tmp_path


def programs(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment whose PATH has these programs first."""
    for name, script in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return {"PATH": str(folder)}


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

    assert str(no.value).endswith(advice())


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


def test_installing_shows_apt_and_starts_no_service(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, log = home / "policy-rc.d", home / "log"
    monkeypatch.setattr(engine_setup, "_is_debian", lambda _: True)
    monkeypatch.setattr(engine_setup, "_POLICY", policy)
    environ = programs(
        home,
        apt_get=f'echo "$@" >>{log}; test -x {policy} && {policy}; echo "policy $?" >>{log}; exit 0',
        apt_cache="exit 1",
        systemctl=f'echo "systemctl $@" >>{log}',
    )
    said: list[str] = []

    engine_setup._install(environ, said.append)

    lines = log.read_text().splitlines()
    assert lines[0] == "-q update"
    assert lines[2].startswith("-q install -y --no-install-recommends docker.io")
    assert lines[1] == lines[3] == "policy 101"
    assert not policy.exists()
    assert "apt-get" in said[0]


def test_a_service_policy_of_the_machines_own_stands(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("mine")

    with engine_setup._no_services_start(policy):
        assert policy.read_text() == "mine"

    assert policy.read_text() == "mine"


def test_the_service_policy_goes_even_when_apt_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = home / "policy-rc.d"
    monkeypatch.setattr(engine_setup, "_is_debian", lambda _: True)
    monkeypatch.setattr(engine_setup, "_POLICY", policy)

    with pytest.raises(NoEngine, match="apt-get -q update` failed"):
        engine_setup._install(programs(home, apt_get="exit 100"), lambda _: None)

    assert not policy.exists()


def test_nothing_is_installed_elsewhere_than_on_debian(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_setup, "_is_debian", lambda _: False)

    with pytest.raises(NoEngine, match="only on Debian or Ubuntu"):
        engine_setup._install({}, lambda _: None)


def test_a_kernel_with_apparmor_gets_its_parser(tmp_path: Path) -> None:
    enabled = tmp_path / "enabled"
    enabled.write_text("Y\n")
    environ = programs(tmp_path, apt_cache="exit 1")

    assert engine_setup._needed_here(environ, enabled) == ["apparmor"]
    assert engine_setup._needed_here(environ, tmp_path / "gone") == []
