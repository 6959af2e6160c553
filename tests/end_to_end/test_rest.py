"""Sessions that nobody uses come to rest and back, in a real server with short periods."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.rig import Home, RawServer
from tests.real_engine import client
from tests.waiting import until

SETTINGS = 'environment = "base"\n[policy]\nprofile = "open"\n[sandbox]\nidle = 0\ngrace_s = 3\n'


MOVES = ("session.parked", "session.resumed")
CHANGES = """
echo kept > /workspace/kept; echo kept > /tmp/kept; printf abc > ~/mode; chmod 750 ~/mode; ln -s kept /workspace/link
mkdir -p ~/lib; echo 'print("module")' > ~/lib/m.py; rm -rf /workspace/gone
""".strip()
FOUND = (
    "cat kept /tmp/kept; stat -c '%A %U %s' ~/mode; PYTHONPATH=~/lib python3 -m m; ls -l link | grep -o 'link -> kept'"
)
SURROUNDINGS = "pwd; id; umask; ulimit -a; export -p"  # where and as what a command runs
REFUSED = "curl -sS https://elsewhere.example/"


def images(home: Home) -> list[str]:
    """Of snapshots that this installation has."""
    identity = (home.folder / "state/installation").read_text()
    with client() as api:
        return [str(found["Id"]) for found in api.images(filters={"label": f"sandgate.state={identity}"})]


def output(answer: dict[str, object]) -> str:
    assert isinstance(answer["structuredContent"], dict), answer
    assert "stdout" in answer["structuredContent"], answer
    return str(answer["structuredContent"]["stdout"])


def paused(home: Home) -> bool:
    with client() as api:
        return all(api.inspect_container(name)["State"]["Paused"] for name in home.sandboxes())


def test_a_session_is_frozen_and_the_next_call_finds_it_as_it_was(own_folder: Path) -> None:
    home = Home(own_folder, settings=f"{SETTINGS}freeze_after_s = 0.2\n")
    server = RawServer.start(home)
    server.shell("echo kept > kept")
    until(lambda: paused(home), "it was not frozen")

    assert output(server.shell("cat kept")) == "kept\n"
    assert [line["kind"] for line in home.audit("session.")][:2] == ["session.frozen", "session.thawed"]
    until(lambda: paused(home), "it was not frozen again")
    read = server.ask("tools/call", {"name": "file_read", "arguments": {"path": "kept"}})
    assert "kept" in read["content"][0]["text"]
    server.end(signal.SIGTERM)
    assert home.sandboxes() == []


def test_a_session_is_parked_and_comes_back_with_its_files_environment_and_network(own_folder: Path) -> None:
    network = '[egress]\nallow = ["docs.example", "api.example"]\n'
    home = Home(own_folder, settings=f"{SETTINGS}freeze_after_s = 0.2\npark_after_s = 0.5\n{network}")
    server = RawServer.start(home)
    opened = {"session": "work", "environment": "python", "network": ["docs.example"]}
    server.ask("tools/call", {"name": "session_open", "arguments": opened})
    server.shell(CHANGES, session="work")
    before = output(server.shell(SURROUNDINGS, session="work"))
    until(lambda: home.sandboxes() == [], "it was not parked")
    refused = output(server.shell(REFUSED, session="work"))
    after = output(server.shell(FOUND, session="work"))
    surroundings = output(server.shell(SURROUNDINGS, session="work"))
    listed = server.ask("tools/call", {"name": "session_list", "arguments": {}})

    assert "docs.example" in refused
    assert "api.example" not in refused
    assert after.splitlines() == ["kept", "kept", "-rwxr-x--- agent 3", "module", "link -> kept"]
    assert "VIRTUAL_ENV=" in before
    assert surroundings == before
    assert "work: python" in listed["content"][0]["text"]
    assert [line["kind"] for line in home.audit("session.") if line["kind"] in MOVES][:2] == [
        "session.parked",
        "session.resumed",
    ]
    server.end(signal.SIGTERM)


@pytest.mark.promise("result.truthful")
def test_a_session_outlives_a_server_that_ends_in_order(own_folder: Path) -> None:
    home = Home(own_folder, settings=SETTINGS)
    first = RawServer.start(home)
    first.shell(CHANGES)
    assert first.begin("said") == "j2"
    assert first.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert home.sandboxes() == []
    second = RawServer.start(replace(home, arguments=("--environment", "python")))
    job = second.ask("tools/call", {"name": "job_output", "arguments": {"job": "j2"}})["content"][0]["text"]
    answer = second.shell(FOUND)

    assert output(answer).splitlines() == ["kept", "kept", "-rwxr-x--- agent 3", "module", "link -> kept"]
    assert answer["structuredContent"]["job"] == "j3"
    assert "new session" not in answer["content"][0]["text"]
    assert "kept with its files and its environment, base; this server's own is python" in answer["content"][0]["text"]
    assert "said" in job
    assert "killed" in job
    second.ask("tools/call", {"name": "session_close", "arguments": {}})
    assert images(home) == []
    second.end(signal.SIGTERM)


def test_a_session_opened_for_a_time_ends_at_it(own_folder: Path) -> None:
    home = Home(own_folder, settings=f"{SETTINGS}freeze_after_s = 0.2\n")
    server = RawServer.start(home)
    server.ask("tools/call", {"name": "session_open", "arguments": {"session": "short", "ttl_s": 5}})
    server.shell("sleep 300", session="short", background=True)
    until(lambda: home.sandboxes() == [], "it did not end")

    until(lambda: [line["session"] for line in home.audit("session.expired")] == ["short"], "it is not recorded")
    server.end(signal.SIGTERM)


def test_what_runs_on_is_never_held_up(own_folder: Path) -> None:
    """Neither a command nor what one left behind, however long nobody asks."""
    home = Home(own_folder, settings=f"{SETTINGS}freeze_after_s = 0.05\npark_after_s = 0.1\n")
    server = RawServer.start(home)
    counting = "for i in $(seq 15); do sleep 0.1; done; echo done"
    server.shell(f"setsid sh -c 'sleep 1; {counting} > /tmp/left' >/dev/null 2>&1 & {counting}", background=True)
    told = server.ask("tools/call", {"name": "job_output", "arguments": {"wait_s": 30}})
    until(lambda: home.sandboxes() == [], "it was not parked when all of it was over")

    assert "done" in told["content"][0]["text"]
    assert output(server.shell("cat /tmp/left")) == "done\n"
    assert [line["kind"] for line in home.audit("session.")][:2] == ["session.frozen", "session.parked"]
    server.end(signal.SIGTERM)


@pytest.mark.promise("nothing.left")
def test_a_frozen_sandbox_does_not_outlive_a_server_that_was_killed(own_folder: Path) -> None:
    home = Home(own_folder, settings=f"{SETTINGS}freeze_after_s = 0.2\n")
    server = RawServer.start(home)
    server.shell("echo kept > kept")
    until(lambda: paused(home), "it was not frozen")
    server.end(signal.SIGKILL)

    until(lambda: not home.sandboxes(), "the frozen sandbox is still there")
