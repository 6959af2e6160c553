"""apt-get as a stand-in: what it is asked, what of it is shown, and that no service starts."""

from pathlib import Path

import pytest

from server.ops import apt
from server.ops.apt import NotInstalled
from tests.server.ops.commands import programs


def test_installing_shows_apt_and_starts_no_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, log = tmp_path / "policy-rc.d", tmp_path / "log"
    monkeypatch.setattr(apt, "_POLICY", policy)
    environ = programs(
        tmp_path,
        apt_get=f'echo "$@" >>{log}; test -x {policy} && {policy}; echo "policy $?" >>{log}; exit 0',
    )
    said: list[str] = []

    apt.install(lambda: ["one", "two"], environ, said.append)

    lines = log.read_text().splitlines()
    assert lines[0] == "-q update"
    assert lines[2].startswith("-q install -y --no-install-recommends one two")
    assert lines[1] == lines[3] == "policy 101"
    assert not policy.exists()
    assert "apt-get" in said[0]


def test_what_apt_said_is_shown_where_it_fails_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "_POLICY", tmp_path / "policy-rc.d")
    words = "E: Failed to fetch http://deb.example  Could not connect"
    said: list[str] = []

    with pytest.raises(
        NotInstalled, match=r"update` failed with code 100: Debian's mirror cannot be reached.*; then run"
    ):
        apt.install(lambda: ["one"], programs(tmp_path, apt_get=f'echo "{words}"; exit 100'), said.append)

    assert said[-1] == words


def test_what_apt_says_is_not_shown_where_it_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(apt, "_POLICY", tmp_path / "policy-rc.d")

    environ = programs(tmp_path, apt_get='echo "Selecting previously"; echo "Setting up docker.io (1) ..."')
    apt.install(lambda: ["docker.io"], environ, lambda _: None)

    said = capsys.readouterr().out
    assert "apt-get: setting up 1 of" in said
    assert "Selecting" not in said


def test_a_service_policy_of_the_machines_own_stands(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("mine")

    with apt._no_services_start(policy):
        assert policy.read_text() == "mine"

    assert policy.read_text() == "mine"


def test_the_service_policy_goes_even_when_apt_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(apt, "_POLICY", policy)

    with pytest.raises(NotInstalled, match="apt-get -q update` failed"):
        apt.install(lambda: ["one"], programs(tmp_path, apt_get="exit 100"), lambda _: None)

    assert not policy.exists()


@pytest.mark.parametrize(("release", "here"), [("ID=ubuntu\nID_LIKE=debian\n", True), ("ID=fedora\n", False)])
def test_packages_are_to_be_had_where_there_is_apt_on_debian(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str, *, here: bool
) -> None:
    (tmp_path / "os-release").write_text(release)
    monkeypatch.setattr(apt, "_RELEASE", tmp_path / "os-release")

    assert apt.is_here(programs(tmp_path, apt_get="true")) is here
