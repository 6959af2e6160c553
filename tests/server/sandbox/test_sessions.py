from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, permit
from server.sandbox.allow_list import AllowList, HostNotAllowed, entry_name
from server.sandbox.egress_link import AllowEntry
from server.sandbox.grants import Grants, NotGranted
from server.sandbox.room import Full, Room
from server.sandbox.sandbox import Copy, Exit, SandboxSpec
from server.sandbox.sessions import (
    NoSuchEnvironment,
    NoSuchSession,
    SessionExists,
    Sessions,
)
from tests.fakes import SPEC, FakeHosts, FakeKeeper, FakeSandbox, FakeSource, allow_list, ledger, resting
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio

ACT = RunCommand(("true",), "/workspace", b"", 1, background=False)
PERMIT = permit(Question(CallerFacts("ann"), "exec", SessionFacts("default", "base"), ACT, {}), Allow())


HOSTS: tuple[AllowEntry, ...] = (
    *("docs.example", "*.pkg.example", "api.example:8443"),
    {"host": "data.example", "methods": ["GET"]},
)


def sessions(folder: Path, source: FakeSource | None = None, most: int = 3, hosts: FakeHosts | None = None) -> Sessions:
    allow = AllowList(hosts or FakeHosts(HOSTS))
    return Sessions(
        source or FakeSource(), {"base": SPEC}, folder, allow, Room(most, patience_s=0), ledger(folder), resting()
    )


def nothing(end: Exit) -> None: ...


async def test_the_second_call_finds_the_first_ones_session(tmp_path: Path) -> None:
    ours = sessions(tmp_path)

    first = await ours.find_or_open("ann", "default", "base")
    second = await ours.find_or_open("ann", "default", "base")

    assert first is second
    assert [first.introduce(), second.introduce()] == [True, False]


@pytest.mark.promise("session.alone")
async def test_somebody_elses_session_does_not_exist(tmp_path: Path) -> None:
    ours = sessions(tmp_path)
    await ours.open("ann", "work", "base", ())

    with pytest.raises(NoSuchSession):
        ours.find("bob", "work")
    assert ours.of("bob") == []


async def test_a_session_whose_sandbox_died_gets_a_new_one(tmp_path: Path) -> None:
    source = FakeSource()
    ours = sessions(tmp_path, source)
    await ours.find_or_open("ann", "default", "base")
    source.claimed[0].alive = False

    session = await ours.find_or_open("ann", "default", "base")

    assert session.introduce()
    assert session.sandbox is source.claimed[1]


async def test_a_name_can_be_open_once(tmp_path: Path) -> None:
    ours = sessions(tmp_path)
    await ours.open("ann", "work", "base", ())

    with pytest.raises(SessionExists):
        await ours.open("ann", "work", "base", ())


async def test_a_session_without_a_name_gets_one_that_nobody_guesses(tmp_path: Path) -> None:
    made = await sessions(tmp_path).open("ann", None, "base", ())

    assert len(made.name) >= 16


async def test_a_session_starts_from_the_specification_it_is_given_and_none_is_made_ahead_for_it(
    tmp_path: Path,
) -> None:
    source, start = FakeSource(), replace(SPEC, image="snapshot:1")

    session = await sessions(tmp_path, source).open("ann", "fork", "base", (), spec=start, alone=True)

    assert session.spec == replace(start, lent_as=session.sandbox.id)
    assert source.wanted == [(start, True)]


async def test_what_a_session_is_made_from_is_found_out_only_where_one_is_made(tmp_path: Path) -> None:
    source, ready = FakeSource(), replace(SPEC, image="prepared:1")
    ours, asked = sessions(tmp_path, source), list[str]()

    async def start() -> SandboxSpec:
        asked.append("once")
        return ready

    for _ in range(2):
        await ours.find_or_open("ann", "default", "base", start)

    assert source.wanted == [(ready, False)]
    assert asked == ["once"]


async def test_an_unknown_environment_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NoSuchEnvironment, match=r"no environment ruby.*base"):
        await sessions(tmp_path).open("ann", "x", "ruby", ())


async def test_there_are_as_many_sessions_as_allowed(tmp_path: Path) -> None:
    ours = sessions(tmp_path, most=1)
    await ours.open("ann", "one", "base", ())

    with pytest.raises(Full, match="session_close"):
        await ours.open("ann", "two", "base", ())
    await ours.close("ann", "one")
    await ours.open("ann", "two", "base", ())


async def test_closing_destroys_the_sandbox_and_its_output(tmp_path: Path) -> None:
    source = FakeSource()
    ours = sessions(tmp_path, source)
    session = await ours.open("ann", "work", "base", ())
    await session.start(PERMIT, "exec", "d-1", nothing)

    await ours.close("ann", "work")

    assert source.claimed[0].closed
    assert not session.folder.exists()
    with pytest.raises(NoSuchSession):
        ours.find("ann", "work")


@pytest.mark.parametrize("host", ["docs.example", "DOCS.example.", "a.pkg.example", "api.example:8443", "data.example"])
async def test_a_session_may_narrow_its_hosts(tmp_path: Path, host: str) -> None:
    source = FakeSource()
    await sessions(tmp_path, source).open("ann", None, "base", (host,))

    assert [entry_name(entry) for entry in source.allowed[0]] == [host]


async def test_an_environment_of_its_own_hosts_is_a_ceiling_also_when_the_list_changes(tmp_path: Path) -> None:
    source, hosts = FakeSource(), FakeHosts(("a.example", "b.example"))
    allow = AllowList(hosts, {"base": ("a.example", "c.example")})
    ours = Sessions(source, {"base": SPEC}, tmp_path, allow, Room(3), ledger(tmp_path), resting())
    await ours.open("ann", "work", "base", ())
    with pytest.raises(HostNotAllowed, match=r"b\.example is not among the allowed hosts: a\.example$"):
        await ours.open("ann", "more", "base", ("b.example",))

    hosts.entries = ("b.example", "c.example")
    await ours.follow_policy()

    assert source.allowed == [("a.example",)]
    assert source.bound == [("c.example",)]


@pytest.mark.parametrize("host", ["evil.example", "pkg.example", "api.example", "docs.example.evil", "docs.example:22"])
async def test_a_session_never_widens_its_hosts(tmp_path: Path, host: str) -> None:
    with pytest.raises(HostNotAllowed, match=r"docs\.example"):
        await sessions(tmp_path).open("ann", None, "base", (host,))


async def test_a_changed_list_reaches_open_sessions_and_widens_no_narrowed_one(tmp_path: Path) -> None:
    source, hosts = FakeSource(), FakeHosts(HOSTS)
    ours = sessions(tmp_path, source, hosts=hosts)
    await ours.open("ann", "all", "base", ())
    await ours.open("ann", "narrow", "base", ("docs.example", "a.pkg.example"))

    hosts.entries = ("docs.example", "new.example")
    await ours.follow_policy()

    assert source.bound == [("docs.example", "new.example"), ("docs.example",)]


@pytest.mark.promise("egress.only_gate")
async def test_a_role_has_its_entries_and_who_loses_it_loses_them(tmp_path: Path) -> None:
    source, hosts = FakeSource(), FakeHosts(("docs.example",), {"dev": ("dev.example",)})
    ours = sessions(tmp_path, source, hosts=hosts)
    await ours.find_or_open("ann", "work", "base", roles=("dev",))
    with pytest.raises(HostNotAllowed):
        await ours.open("bob", None, "base", ("dev.example",), roles=("user",))
    await ours.open("ann", "narrow", "base", ("dev.example",), roles=("dev",))

    for roles in (("dev",), ("user",), ("user",)):
        await ours.find_or_open("ann", "work", "base", roles=roles)

    assert source.allowed == [("docs.example", "dev.example"), ("dev.example",)]
    assert source.bound == [("docs.example",)]
    assert hosts.asked == [("dev",), ("user",)]  # once for all sessions


@pytest.mark.promise("policy.error_is_deny")
async def test_a_policy_that_does_not_answer_leaves_no_network_until_it_does(tmp_path: Path) -> None:
    source, hosts = FakeSource(), FakeHosts(("docs.example",), away=True)
    ours = sessions(tmp_path, source, hosts=hosts)
    await ours.find_or_open("ann", "work", "base")
    hosts.away = False
    await ours.find_or_open("ann", "work", "base")
    hosts.away = True
    await ours.follow_policy()

    assert source.allowed == [()]
    assert source.bound == [("docs.example",), ()]


class StuckSource(FakeSource):
    """An engine that hangs as soon as it has made one sandbox."""

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> FakeSandbox:
        if self.claimed:
            await anyio.sleep_forever()
        return await super().claim(spec, allow, alone=alone)


async def test_an_engine_that_hangs_holds_up_no_session_that_is_open(tmp_path: Path) -> None:
    ours = sessions(tmp_path, StuckSource())
    mine = await ours.find_or_open("ann", "default", "base")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ours.find_or_open, "bob", "default", "base")
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(PATIENCE_S):
            assert await ours.find_or_open("ann", "default", "base") is mine
        tasks.cancel_scope.cancel()


def server(folder: Path, name: str, *dead: str, source: FakeSource | None = None) -> Sessions:
    """One of several on the same state, to which those named are dead."""
    written = ledger(folder, name, lambda other: other not in dead)
    return Sessions(source or FakeSource(), {"base": SPEC}, folder, allow_list(), Room(3), written, resting())


@pytest.mark.promise("session.alone")
async def test_a_second_server_gets_a_session_of_its_own_and_says_so(tmp_path: Path) -> None:
    first = await server(tmp_path, "one").find_or_open("ann", "default", "base")
    second = await server(tmp_path, "two").find_or_open("ann", "default", "base")

    assert first.id != second.id
    assert first.take_remarks() == ()
    (told,) = second.take_remarks()
    assert "another running server" in told
    assert "separate" in told
    assert second.take_remarks() == ()


@pytest.mark.promise("caller.known")
@pytest.mark.parametrize("ended", ["killed", "in order"])
async def test_who_lost_a_folder_while_no_server_ran_does_not_find_it_in_the_session_from_before(
    tmp_path: Path, ended: str
) -> None:
    keeper = FakeKeeper()

    def with_plans_for(role: str, name: str, *dead: str) -> Sessions:
        lends = replace(SPEC, copies=(Copy("/srv/plans", "/srv/plans", 1, 2),))
        written = ledger(tmp_path, name, lambda other: other not in dead)
        kept, grants = resting(keeper=keeper), Grants(folders={"/srv/plans": (role,)})
        return Sessions(
            FakeSource(waiting={"box0"}), {"base": lends}, tmp_path, allow_list(), Room(3), written, kept, grants=grants
        )

    first = with_plans_for("user", "one")
    await first.find_or_open("ann", "work", "base", roles=("user",))
    if ended == "in order":
        await first.put_down_all()
    second = with_plans_for("dev", "two", "one")

    with pytest.raises(NotGranted):
        await second.find_or_open("ann", "work", "base", roles=("user",))
    assert (await second.find_or_open("ann", "work", "base", roles=("dev",))).spec.copies
    await second.close("ann", "work")
    assert not (await second.find_or_open("ann", "work", "base", roles=("user",))).spec.copies


async def test_a_closed_session_is_written_down_no_more(tmp_path: Path) -> None:
    ours = server(tmp_path, "one")
    session = await ours.open("ann", "work", "base", ())
    await session.start(PERMIT, "exec", "d-1", nothing)
    await ours.close("ann", "work")

    assert ledger(tmp_path).every() == []
    assert ledger(tmp_path).jobs(session.id) == []


async def test_what_a_question_looks_at_stays_in_nobodys_hands(tmp_path: Path) -> None:
    await server(tmp_path, "one").open("ann", "work", "base", ())
    second = server(tmp_path, "two", "one")
    listed = [(session.name, session.state) for session in second.of("ann")]

    assert listed == [("work", "waiting")]
    assert second.spec_of("ann", "work", "other") == replace(SPEC, lent_as="box0")
    assert [entry.server for entry in ledger(tmp_path).every()] == ["one"]


@pytest.mark.promise("result.truthful")
async def test_the_jobs_of_a_dead_server_are_found_with_how_they_ended(tmp_path: Path) -> None:
    session = await server(tmp_path, "one").open("ann", "work", "base", ())
    await session.start(PERMIT, "exec", "d-1", nothing)
    session.box = FakeSandbox(end=None)
    running = await session.start(PERMIT, "exec", "d-2", nothing)

    found = server(tmp_path, "two", "one").find("ann", "work")

    assert {name: job.status for name, job in found.jobs.items()} == {"j1": "exited", "j2": "killed"}
    assert found.job("j2").end == Exit("killed", detail="the server was lost")
    assert found.job("j1").streams["stdout"].read(0, 10).data == b"hi\n"
    assert found.made == 2
    running.close()


async def test_a_session_whose_record_cannot_be_written_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "sandgate.db").write_text("no database at all, whatever its name may say of it, but a plain text")
    source = FakeSource()
    with pytest.raises(OSError, match="cannot be used"):
        await server(tmp_path, "one", source=source).open("ann", "work", "base", ())

    assert source.claimed == []
