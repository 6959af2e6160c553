import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from server.sandbox.egress_link import GateDown, GateRefused
from tests.egress.world.gate import ROOT, alive, kill
from tests.egress.world.sandbox import Answer, Sandbox
from tests.server.sandbox.links import Setup, elsewhere, nobody_is_up, opened, pid_of
from tests.waiting import eventually, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def setup(tmp_path: Path) -> Any:
    made = Setup(tmp_path)
    yield made
    made.origin.close()


async def test_a_session_is_refused_until_it_is_bound(setup: Setup) -> None:
    async with opened(setup) as link:
        before = await setup.fetch()
        await link.bind("s", [setup.where])
        after = await setup.fetch()
        assert link.ca_cert == setup.folder / "ca" / "ca.pem"

    assert (before.rule, after.status) == ("egress.not_bound", 200)


async def test_entering_starts_nothing(setup: Setup) -> None:
    async with setup.link() as link:
        assert link._process is None
        with pytest.raises(GateDown):
            _ = link.ca_cert

    assert not (setup.folder / "ca").exists()


async def test_its_certificate_is_there_before_it_listens(setup: Setup) -> None:
    async with setup.link() as link:
        made = await link.trusted()
        assert pid_of(link) is None
        assert made == link.ca_cert
        assert b"BEGIN CERTIFICATE" in made.read_bytes()
        assert (made.parent / "java.p12").exists()


async def test_a_list_that_cannot_be_meant_is_refused_in_one_sentence_and_the_old_one_holds(setup: Setup) -> None:
    async with opened(setup) as link:
        await link.bind("s", [setup.where])
        with pytest.raises(GateRefused, match="top-level"):
            await link.bind("s", ["*.com"])
        with pytest.raises(GateRefused):
            await link.bind("nobody", [])

        assert (await setup.fetch()).status == 200


async def test_calls_are_named_in_refusals_and_in_events(setup: Setup) -> None:
    async with opened(setup) as link:
        await link.bind("s", [setup.where])
        link.calls("s", ["d-7"])
        await link.bind("s", [setup.where])  # answered after the line above
        refused = await setup.fetch(host="elsewhere.test")
        await setup.fetch("/seen")
        await eventually(lambda: len(setup.events) == 2)

    assert refused.json["decision_id"] == "d-7"
    assert {event["event"]: event["decisions"] for event in setup.events} == {"flow": ["d-7"], "refused": ["d-7"]}


async def test_calls_that_ran_before_it_listened_are_named_from_the_first_connection_on(setup: Setup) -> None:
    def first() -> Answer:
        while not setup.path.exists():
            """Whoever waits for it comes at once."""
        with suppress(ConnectionRefusedError):  # it is bound, and does not listen yet
            return anyio.from_thread.run(setup.fetch)
        return first()

    async with setup.link() as link, anyio.create_task_group() as tasks:
        tasks.start_soon(link.open, "s", setup.path)
        await eventually(lambda: "s" in link._wanted)
        link.calls("s", ["d-8"])
        refused = await anyio.to_thread.run_sync(first)

    assert (refused.rule, refused.json["decision_id"]) == ("egress.not_bound", "d-8")


@pytest.mark.promise("egress.start_refused")
async def test_a_gate_that_is_killed_comes_back_with_everything_it_knew(setup: Setup) -> None:
    async with opened(setup) as link:
        await link.bind("s", [setup.where])
        first = await setup.until_up(link)
        kill(first)
        await eventually(lambda: pid_of(link) != first)
        await link.bind("s", [setup.where])  # waits for the next one
        answer = await setup.fetch()
        second = await setup.until_up(link)

    assert answer.status == 200
    assert second != first
    assert not alive(second)


async def test_leaving_ends_the_process(setup: Setup) -> None:
    async with opened(setup) as link:
        pid = await setup.until_up(link)
        assert alive(pid)

    assert not alive(pid)


async def test_a_closed_session_is_gone(setup: Setup) -> None:
    async with opened(setup) as link:
        await link.close("s")
        await link.close("s")

        assert not setup.path.exists()


async def test_a_gate_that_cannot_start_says_why_once_however_often_it_is_tried(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (setup.folder / "ca").write_text("this is no folder")
    async with setup.link() as link:
        really, tries = link._start_process, list[None]()

        async def thrice() -> Any:
            tries.append(None)
            return await (really() if len(tries) <= 3 else anyio.sleep_forever())

        monkeypatch.setattr(link, "_start_process", thrice)
        link.start()
        await eventually(lambda: len(tries) > 3)  # however long three took to start and to fail
        monkeypatch.setattr("server.sandbox.egress_link.READY_S", 0.05)
        with pytest.raises(GateDown, match="certificate authority"):
            await link.open("s", setup.path)

    own, ours = [message for message in caplog.messages if "certificate authority" in message]
    assert ours == f"The egress process ended; sandboxes have no network until it is back. {own}"


@pytest.mark.promise("egress.start_refused")
async def test_where_events_cannot_be_taken_in_nothing_flows(setup: Setup) -> None:
    def full(_event: dict[str, Any]) -> None:
        raise OSError("no space left")

    async with opened(setup, on_event=full) as link:
        await link.bind("s", [setup.where])
        first = await setup.until_up(link)
        await setup.fetch()
        await eventually(lambda: not alive(first))


PARENT = """
import anyio, sys
from pathlib import Path
from server.sandbox.egress_link import EgressLink
async def main():
    folder = Path(sys.argv[1])
    async with EgressLink(ca_dir=folder / "ca", on_event=print) as link:
        await link.open("s", folder / "s.sock")
        print(link._process.pid, flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""


@pytest.mark.promise("egress.gate_dies_with_server")
def test_a_killed_server_takes_its_gate_with_it(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        gate = int(parent.stdout.readline())
        assert alive(gate)
        parent.kill()

    until(lambda: not alive(gate))


@pytest.mark.promise("egress.start_refused")
async def test_a_gate_that_is_stopped_is_replaced_and_meanwhile_nothing_flows(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sandbox.egress_link.LOOK_EVERY_S", 0.2)
    async with opened(setup) as link:
        await link.bind("s", [setup.where])
        assert (await setup.fetch()).status == 200
        first = await setup.until_up(link)
        with monkeypatch.context() as hurried:  # no longer than that: a slow one that is not stopped shall answer
            hurried.setattr("server.sandbox.egress_wire.REPLY_S", 1.0)
            hurried.setattr("server.sandbox.egress_link.GRACE_S", 0.2)
            os.kill(first, signal.SIGSTOP)
            with Sandbox(setup.path, setup.folder) as sandbox:
                sandbox.say(f"GET http://{setup.where}/stopped HTTP/1.1\r\nHost: {setup.where}\r\n\r\n")
                await eventually(lambda: pid_of(link) not in {first, None})
        assert (await setup.fetch("/again")).status == 200

    assert not alive(first)
    assert b"/stopped" not in setup.origin.everything


@pytest.mark.promise("secrets.outside")
async def test_a_gate_that_comes_back_asks_for_the_secrets_again_and_knows_the_placeholders(setup: Setup) -> None:
    asked: list[int] = []
    placeholder = "sandgate_" + "0a" * 16

    async def secrets() -> list[dict[str, Any]]:
        await anyio.lowlevel.checkpoint()
        asked.append(1)
        return [{"name": "key", "host": "origin.test:8443", "headers": ["authorization"], "value": "the-value"}]

    async def rule() -> str:
        def ask() -> Answer:
            with Sandbox(setup.path, setup.folder) as sandbox:
                head = f"GET http://{setup.where}/ HTTP/1.1\r\nHost: {setup.where}\r\n"
                return sandbox.ask(f"{head}Authorization: {placeholder}\r\n\r\n")

        return (await anyio.to_thread.run_sync(ask)).rule

    async with setup.link(secrets=secrets) as link:
        await link.open("s", setup.path, [setup.where], {"key": placeholder})
        before = await rule()
        first = await setup.until_up(link)
        kill(first)
        await eventually(lambda: pid_of(link) not in {first, None})
        after = await rule()
        await link.keep(await secrets())

    assert (before, after) == ("egress.secret", "egress.secret")
    assert len(asked) == 3
    assert setup.origin.everything == b""


@pytest.mark.promise("secrets.outside")
async def test_a_secret_that_the_gate_cannot_mean_costs_the_secret_and_not_the_network(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {"name": "key", "host": "-.test", "headers": ["authorization"], "value": "told-secret"}

    async def secrets() -> list[dict[str, Any]]:
        await anyio.lowlevel.checkpoint()
        return [bad]

    async with setup.link(secrets=secrets) as link:
        await link.open("s", setup.path, [setup.where])
        assert (await setup.fetch()).status == 200
        await link.keep([bad])
        assert (await setup.fetch()).status == 200

    assert "none is swapped" in caplog.text
    assert "told-secret" not in caplog.text


# --- a gate that somebody else runs ------------------------------------------------------------------------------------


@pytest.mark.promise("egress.only_gate")
async def test_a_gate_that_somebody_else_runs_is_called_and_handed_its_sockets(setup: Setup) -> None:
    at = setup.folder / "control"
    with elsewhere(setup):
        await eventually(at.exists)
        async with setup.link(at=at) as link:
            await link.open("s", setup.path, [setup.where])
            assert (await setup.fetch()).status == 200
            assert (await setup.fetch(host="other.test")).status == 403
            assert not at.exists()  # nobody else can call it now
            await link.close("s")
            assert not setup.path.exists()

            lists = [[setup.where], []] * 10
            async with anyio.create_task_group() as tasks:  # each gets its own, however many are handed over at once
                for number, allow in enumerate(lists):
                    tasks.start_soon(link.open, f"s{number}", setup.folder / f"{number}.sock", allow)
            for number, allow in enumerate(lists):
                setup.path = setup.folder / f"{number}.sock"
                assert (await setup.fetch()).status == (200 if allow else 403), number


@pytest.mark.promise("egress.gate_dies_with_server")
async def test_it_ends_with_its_server_and_the_next_one_serves_what_is_open(setup: Setup) -> None:
    at = setup.folder / "control"
    with elsewhere(setup) as first:
        await eventually(at.exists)
        async with setup.link(at=at) as link:
            await link.open("s", setup.path, [setup.where])
            first.kill()
            first.wait(60)
            await eventually(lambda: nobody_is_up(link))
            with elsewhere(setup) as second:
                await eventually(lambda: not nobody_is_up(link))
                assert (await setup.fetch()).status == 200
                await link.open("t", setup.folder / "t.sock", [setup.where])
        await eventually(lambda: second.poll() is not None)


async def test_where_nobody_waits_that_is_said(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.sandbox.egress_link.READY_S", 0.3)
    async with setup.link(at=setup.folder / "control") as link:
        with pytest.raises(GateDown, match="no gate waits at"):
            await link.open("s", setup.path)
