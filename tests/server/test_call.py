from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from policy.question import RunCommand
from policy.verdict import Allow, Ask, Denied, Deny, Permit, Rule, Verdict
from server.asks import Caller, FileAsk, RunAsk, SessionAsk, Target
from server.call import NoShell
from server.judge.approvals import Approvals
from server.parts import Record
from server.record.approval_rows import ApprovalRows
from server.record.audit import AuditFailed
from server.sandbox import reading
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Found
from server.sandbox.session import Session
from tests.fake_gateway import gateway
from tests.fakes import (
    FakeAudit,
    FakeSandbox,
    FakeSource,
    FixedJudge,
)

pytestmark = pytest.mark.anyio

ANN = Caller("ann")
TARGET = Target("default", "base")
NO = Deny((Rule("privilege.tools", "deny", "sudo is not available", "Run it without sudo."),))
PERHAPS = Ask((Rule("outward.publish", "ask", "git push leaves the sandbox", ""),), Allow())


async def silent(job: Job) -> None: ...


class Rig:
    def __init__(self, folder: Path, verdict: Verdict, box: FakeSandbox | None = None, **by_path: Verdict) -> None:
        self.box = box or FakeSandbox()
        self.audit, self.judge, self.source = FakeAudit(), FixedJudge(verdict), FakeSource([self.box])
        self.gateway = gateway(folder, judge=self.judge, source=self.source, audit=self.audit)

    @property
    def trail(self) -> list[str]:
        return self.audit.record.lines


def shell(text: str, **changes: Any) -> RunAsk:
    argv = ("/bin/bash", "--noprofile", "--norc", "-c", text)
    ask = RunAsk("shell", TARGET, argv, text, None, b"", 10, 5, background=False, arguments={"command": text})
    return replace(ask, **changes)


def reading_of(path: str) -> FileAsk[Any]:
    async def act(session: Session, permit: Permit, found: Found) -> Any:
        return await reading.read(session.sandbox, permit, found, reading.Part())

    return FileAsk("file_read", TARGET, "read", path, {"path": path}, act)


async def test_an_allowed_command_runs_and_leaves_its_trail(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow())

    ran = await rig.gateway.run(ANN, shell("echo hi"), silent)

    assert ran.end is not None
    assert ran.job.streams["stdout"].read(0, 100).data == b"hi\n"
    assert rig.trail == ["started ann shell", "allow shell", "sandbox.job_ended exited", "ended exited"]


@pytest.mark.promise("call.permit")
@pytest.mark.parametrize("verdict", [NO, PERHAPS])
async def test_without_an_allow_nothing_reaches_a_sandbox(tmp_path: Path, verdict: Verdict) -> None:
    rig = Rig(tmp_path, verdict)

    with pytest.raises(Denied):
        await rig.gateway.run(ANN, shell("sudo id"), silent)

    assert rig.box.ran == []
    assert len(rig.source.claimed) == (verdict is PERHAPS)  # whose files a yes would be bound to; a no needs none
    assert rig.trail[-1] == "stopped Denied"


class FullDisk(FakeAudit):
    @asynccontextmanager
    async def call(
        self, caller: str, tool: str, session: str, arguments: Mapping[str, Any], *, reads_state: bool
    ) -> AsyncGenerator[Record]:
        if not reads_state:
            raise AuditFailed("no space left")
        yield self.record


@pytest.mark.promise("audit.written_first")
async def test_where_no_line_can_be_written_only_what_reads_the_state_is_answered(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow())
    gateway = replace(rig.gateway, audit=FullDisk())

    async def state(caller: Caller) -> str:
        return "open: none"

    assert await gateway.use_session(ANN, SessionAsk("session_list", TARGET, {}, state)) == "open: none"
    with pytest.raises(AuditFailed):
        await gateway.use_session(ANN, SessionAsk("session_close", TARGET, {}, state))
    with pytest.raises(AuditFailed):
        await gateway.use_file(ANN, reading_of("notes"))
    with pytest.raises(AuditFailed):
        await gateway.run(ANN, shell("true"), silent)
    assert rig.source.claimed == []


@pytest.mark.promise("call.frozen")
async def test_what_was_judged_is_the_very_object_that_runs(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow())

    await rig.gateway.run(ANN, shell("echo hi", stdin=b"in", cwd="sub"), silent)

    assert rig.box.ran[0].question is rig.judge.asked[0]
    act = rig.box.ran[0].question.act
    assert act == RunCommand(shell("echo hi").argv, "/workspace/sub", b"in", 10, background=False)


async def test_a_command_that_goes_on_is_answered_as_a_running_job(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow(), FakeSandbox(end=None))

    ran = await rig.gateway.run(ANN, shell("sleep 60", wait_s=0.01), silent)

    assert ran.end is None
    assert rig.trail[-1] == "ended running"


async def test_a_cancelled_call_takes_its_command_with_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow(), FakeSandbox(end=None))

    async with anyio.create_task_group() as tasks:

        async def gives_up(job: Job) -> None:
            tasks.cancel_scope.cancel()

        await rig.gateway.run(ANN, shell("sleep 60"), gives_up)

    assert rig.box.commands[0].stopped == ["cancelled"]
    assert rig.trail[-1].startswith("stopped Cancel")


@pytest.mark.promise("files.handle")
async def test_a_link_is_judged_as_what_it_leads_to(tmp_path: Path) -> None:
    box = FakeSandbox(files={"/etc/shadow": b"root"}, links={"/workspace/notes": "/etc/shadow"})
    rig = Rig(tmp_path, Allow(), box)
    rig.judge.by_path["/etc/shadow"] = NO

    with pytest.raises(Denied):
        await rig.gateway.use_file(ANN, reading_of("/workspace/notes"))

    assert [question.paths[0].resolved for question in rig.judge.asked] == ["/workspace/notes", "/etc/shadow"]


async def test_a_denied_path_is_refused_before_a_sandbox_is_made(tmp_path: Path) -> None:
    rig = Rig(tmp_path, NO)

    with pytest.raises(Denied):
        await rig.gateway.use_file(ANN, reading_of("/etc/shadow"))

    assert rig.source.claimed == []


async def test_a_dry_run_makes_no_session(tmp_path: Path) -> None:
    rig = Rig(tmp_path, NO)

    _, verdict = await rig.gateway.check(ANN, shell("sudo id"))

    assert verdict == NO
    assert rig.source.claimed == []


@pytest.mark.promise("session.alone")
async def test_two_callers_with_one_name_have_two_sandboxes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow())

    ann = await rig.gateway.run(ANN, shell("true"), silent)
    bob = await rig.gateway.run(Caller("bob"), shell("true"), silent)

    assert ann.session.sandbox is not bob.session.sandbox


async def test_in_an_image_without_bash_a_script_is_judged_as_what_sh_would_run(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow(), FakeSandbox(shell="/bin/sh"))

    ran = await rig.gateway.run(ANN, shell("echo hi"), silent)

    asked = [question.act for question in rig.judge.asked]
    assert [act.argv for act in asked if isinstance(act, RunCommand)][1:] == [("/bin/sh", "-c", "echo hi")]
    assert [permit.question.act for permit in rig.box.ran] == asked[1:]
    assert ran.remarks == ("this image has no bash: /bin/sh ran the script",)


@pytest.mark.promise("approval.bound")
async def test_in_an_image_without_bash_a_person_is_asked_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, PERHAPS, FakeSandbox(shell="/bin/sh"))
    people = Approvals(ApprovalRows(tmp_path / "sandgate.db"), 900)
    gateway = replace(rig.gateway, people=people)

    with pytest.raises(Denied) as asked:
        await gateway.run(ANN, shell("git push"), silent)
    assert len(people.live()) == 1
    await people.answer(asked.value.approval, yes=True, by="carl")

    assert (await gateway.run(ANN, shell("git push"), silent)).act.argv == ("/bin/sh", "-c", "git push")


@pytest.mark.promise("approval.bound")
async def test_a_person_reads_that_other_commands_can_change_what_a_yes_is_bound_to(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow(), FakeSandbox(end=None, files={"/workspace/Makefile": b"all:\n"}))
    gateway = replace(rig.gateway, people=Approvals(ApprovalRows(tmp_path / "sandgate.db"), 900))
    await gateway.run(ANN, shell("sleep 60", wait_s=0), silent)
    rig.judge.verdict = PERHAPS

    with pytest.raises(Denied) as asked:
        await gateway.run(ANN, shell("make"), silent)

    assert "good only while these files stay as they are: /workspace/Makefile" in asked.value.shown
    assert "other commands run in this session now" in asked.value.shown


@pytest.mark.promise("approval.bound")
async def test_what_was_asked_of_the_text_stays_asked_of_what_runs(tmp_path: Path) -> None:
    rig = Rig(tmp_path, PERHAPS, FakeSandbox(links={"/workspace/link": "/workspace/private"}))
    rig.judge.by_path["/workspace/private"] = Allow()

    with pytest.raises(Denied):
        await rig.gateway.use_file(ANN, reading_of("link"))
    assert rig.trail[-3:] == ["ask file_read", "allow file_read", "stopped Denied"]


async def test_an_image_without_any_shell_says_to_use_exec(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow(), FakeSandbox(shell=""))

    with pytest.raises(NoShell, match=r"environment base has no shell; use exec"):
        await rig.gateway.run(ANN, shell("echo hi"), silent)
    assert rig.box.ran == []


async def test_what_needs_no_shell_runs_in_an_image_without_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Allow(), FakeSandbox(shell=""))

    ran = await rig.gateway.run(ANN, replace(shell("x"), tool="exec", argv=("ls",), script=None), silent)

    assert ran.act.argv == ("ls",)
    assert ran.remarks == ()
