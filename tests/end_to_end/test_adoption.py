"""A server killed with -9 and the next one: what it owned is there, and what nobody can have any use for is not."""

import signal
from pathlib import Path
from typing import Any

import pytest

from server.sandbox.orphans import SANDBOX_LABEL
from tests.end_to_end.rig import Home, RawServer
from tests.real_engine import client
from tests.waiting import until

SETTINGS = 'environment = "base"\n[policy]\nprofile = "open"\n[sandbox]\ngrace_s = 60\n'


def text(answer: dict[str, Any]) -> str:
    return str(answer["content"][0]["text"])


def sandboxes(home: Home) -> set[str]:
    """Of every server of this home."""
    identity = (home.folder / "state/installation").read_text()
    with client() as api:
        found = api.containers(all=True, filters={"label": [f"sandgate.state={identity}", SANDBOX_LABEL]})
    return {str(entry["Labels"][SANDBOX_LABEL]) for entry in found}


def killed_in_the_middle(home: Home) -> tuple[RawServer, set[str]]:
    """With a session that has files and runs something, and a warm sandbox beside it."""
    first = RawServer.start(home)
    first.shell("echo kept > kept; echo said")
    assert first.begin("so far") == "j2"
    until(lambda: len(home.audit("sandbox.created")) == 2, "no sandbox became warm")
    before = sandboxes(home)
    first.end(signal.SIGKILL)
    return first, before


@pytest.mark.promise("nothing.left")
@pytest.mark.promise("result.truthful")
def test_a_restarted_server_has_the_session_its_jobs_and_nothing_else_of_the_one_that_was_killed(
    own_folder: Path,
) -> None:
    home = Home(own_folder, settings=SETTINGS)
    _, before = killed_in_the_middle(home)
    second = RawServer.start(home)
    answer = second.shell("cat kept; ls; pgrep -f 'sleep 30[0]' | wc -l")
    job = second.ask("tools/call", {"name": "job_output", "arguments": {"job": "j2"}})

    assert answer["structuredContent"]["stdout"].splitlines() == ["kept", "kept", "0"]
    assert answer["structuredContent"]["job"] == "j3"
    assert "its server was lost" in text(answer)
    assert "new session" not in text(answer)
    assert "so far" in text(job)
    assert "killed (the server was lost)" in text(job)
    (adopted,) = {line["sandbox"] for line in home.audit("sandbox.adopted")}
    assert adopted in before
    until(lambda: sandboxes(home) & before == {adopted}, "the warm one of the dead server is still there")
    second.end(signal.SIGTERM)
    until(lambda: not sandboxes(home), "something is left")


@pytest.mark.promise("nothing.left")
def test_it_is_taken_over_before_the_first_call_and_frozen_ones_too(own_folder: Path) -> None:
    home = Home(own_folder, settings=f"{SETTINGS}freeze_after_s = 0.3\nidle = 0\n")
    first = RawServer.start(home)
    first.shell("echo kept > kept")
    until(lambda: bool(home.audit("session.frozen")), "it was not frozen")
    first.end(signal.SIGKILL)
    second = RawServer.start(home)
    until(lambda: bool(home.audit("session.adopted")), "it was not taken over")

    assert second.shell("cat kept")["structuredContent"]["stdout"] == "kept\n"
    second.end(signal.SIGTERM)


@pytest.mark.promise("session.alone")
def test_a_probe_that_comes_first_takes_nothing_from_the_restarted_server(own_folder: Path) -> None:
    home = Home(own_folder, settings=SETTINGS)
    killed_in_the_middle(home)
    probe = RawServer.start(home)
    probe.ask("tools/list", {})
    probe.end(signal.SIGTERM)
    second = RawServer.start(home)
    answer = second.shell("cat kept")

    assert answer["structuredContent"]["stdout"] == "kept\n"
    assert "another running server" not in text(answer)
    second.end(signal.SIGTERM)


@pytest.mark.promise("nothing.left")
@pytest.mark.promise("result.truthful")
def test_where_the_next_server_comes_too_late_that_is_said(own_folder: Path) -> None:
    home = Home(own_folder, settings=SETTINGS.replace("grace_s = 60", "grace_s = 1"))
    killed_in_the_middle(home)
    until(lambda: not sandboxes(home), "the sandboxes did not end by themselves")
    second = RawServer.start(home)
    answer = second.shell("ls")

    assert "the session default before this one is gone with its files" in text(answer)
    assert answer["structuredContent"]["stdout"] == ""
    second.end(signal.SIGTERM)
    assert [path for path in (own_folder / "run").rglob("*") if path.is_socket()] == []
