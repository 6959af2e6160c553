"""A client of each protocol era against the real server: every tool, its refusals, and the record."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from server.record.reading import verify
from tests.end_to_end.rig import Home, connected, heard_while_it_runs, structured, text_of
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def home(folder: Path) -> Home:
    return Home(folder)


@pytest.fixture(scope="module", params=["2026-07-28", "2025-11-25"])
async def client(request: pytest.FixtureRequest, home: Home, anyio_backend: str) -> AsyncGenerator[Client]:
    async with connected(home, "auto" if request.param == "2026-07-28" else "legacy") as made:
        assert made.protocol_version == request.param
        yield made
        await made.call_tool("session_close", {})  # else the next server of this home would go on with it


async def call(client: Client, tool: str, **arguments: Any) -> tuple[dict[str, Any], str]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return dict(result.structured_content or {}), text_of(result)


async def test_schemas_are_flat_and_every_annotation_is_set(client: Client) -> None:
    tools = (await client.list_tools()).tools

    assert [tool.name for tool in tools] == [
        "shell", "exec", "job_output", "job_input", "job_stop",
        "file_read", "file_write", "file_edit", "file_list", "file_search",
        "session_open", "session_list", "session_close", "session_snapshot", "policy_check",
    ]  # fmt: skip
    for tool in tools:
        schema = json.dumps([tool.input_schema, tool.output_schema])
        assert not any(word in schema for word in ("$ref", "anyOf", "oneOf", "allOf")), tool.name
        assert tool.description
        assert tool.annotations is not None
        assert None not in tool.annotations.model_dump(exclude={"title"}).values()


async def test_what_the_server_says_of_itself_is_short_enough_for_every_host(client: Client) -> None:
    assert client.instructions is not None
    assert len(client.instructions) < 2000


async def test_a_command_answers_with_the_contracts_fields(client: Client) -> None:
    result, text = await call(client, "shell", command="echo out; echo err >&2; exit 3", cwd="/tmp")

    assert {name: result[name] for name in ("status", "exit_code", "stdout", "stderr", "stdout_bytes", "truncated", "session", "cwd")} == {
        "status": "exited", "exit_code": 3, "stdout": "out\n", "stderr": "err\n", "stdout_bytes": 4, "truncated": False,
        "session": "default", "cwd": "/tmp",
    }  # fmt: skip
    assert text.startswith("out\nstderr:\nerr\n[exit code 3]")


async def test_exec_has_no_shell_in_between(client: Client) -> None:
    result, _ = await call(client, "exec", argv=["printf", "%s|", "$HOME", "a b", "*"], stdin="ignored")

    assert result["stdout"] == "$HOME|a b|*|"


async def test_files_persist_between_calls_and_shell_state_does_not(client: Client) -> None:
    await call(client, "shell", command="cd /tmp; X=1; echo kept > /workspace/kept")
    result, _ = await call(client, "shell", command="pwd; echo [$X]; cat kept")

    assert result["stdout"] == "/workspace\n[]\nkept\n"


async def test_output_streams_as_it_comes(client: Client) -> None:
    assert await heard_while_it_runs(client, "echo tick", "tick") == "tick\nheard\n"


async def test_a_long_command_becomes_a_job_that_is_read_on_and_stopped(client: Client) -> None:
    result, text = await call(client, "shell", command="echo begun; sleep 60", wait_s=0.5)
    assert (result["status"], result["exit_code"]) == ("running", None)
    assert "job_output" in text

    _, read = await call(client, "job_output", job=result["job"], wait_s=50)
    assert read.startswith("begun\n")

    _, stopped = await call(client, "job_stop", job=result["job"])
    assert "killed" in stopped


async def test_a_background_command_outlives_its_call(client: Client) -> None:
    result, _ = await call(client, "shell", command="sleep 0.3; echo late", background=True)
    assert result["status"] == "running"

    _, read = await call(client, "job_output", job=result["job"], wait_s=50)
    assert read.startswith("late\n")


async def test_a_running_program_is_written_to_until_its_input_is_closed(client: Client) -> None:
    started, _ = await call(
        client, "exec", argv=["python3", "-uc", "while True: print(input().upper())"], background=True
    )
    job = started["job"]

    _, sent = await call(client, "job_input", job=job, text="hello\n")
    assert sent == f"sent 6 bytes to job {job}"
    assert (await call(client, "job_output", job=job, wait_s=50))[1].startswith("HELLO\n")

    _, sent = await call(client, "job_input", job=job, close=True)
    assert sent.endswith("closed its standard input")
    _, ended = await call(client, "job_output", job=job, offset=6, wait_s=50)
    assert "exited with 1" in ended
    late = await client.call_tool("job_input", {"job": job, "text": "more"})
    assert late.is_error
    assert f"Job {job} is over" in text_of(late)


async def test_input_for_a_command_that_has_none_says_how_it_would(client: Client) -> None:
    started, _ = await call(client, "shell", command="sleep 60", wait_s=0)
    refused = await client.call_tool("job_input", {"job": started["job"], "text": "x"})

    assert refused.is_error
    assert "background=true" in text_of(refused)
    assert (await call(client, "job_stop", job=started["job"]))[1] == f"job {started['job']}: killed (job_stop)"


async def test_a_cancelled_call_takes_its_command_with_it(client: Client) -> None:
    async def runs() -> bool:
        return "cancelled-one" in (await call(client, "exec", argv=["ps", "-eo", "args"]))[1]

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "shell", {"command": "exec -a cancelled-one sleep 61"})
            while not await runs():
                await anyio.sleep(0.1)
            tasks.cancel_scope.cancel()
        while await runs():
            await anyio.sleep(0.1)


async def test_a_deadline_is_told_as_one(client: Client) -> None:
    result, text = await call(client, "shell", command="sleep 60", timeout_s=0.5)

    assert result["status"] == "timed_out"
    assert "timed out" in text


async def test_long_output_is_cut_and_the_rest_is_one_call_away(client: Client) -> None:
    result, text = await call(client, "shell", command="seq 100000", max_chars=1000)
    assert result["truncated"]
    offset = int(text.partition("offset=")[2].partition(")")[0])

    _, more = await call(client, "job_output", job=result["job"], offset=offset, limit=12)
    last_line_of_the_head = result["stdout"].partition("\n[")[0].splitlines()[-1]
    assert more.splitlines()[0] == str(int(last_line_of_the_head) + 1)


async def test_the_file_tools_work_together(client: Client) -> None:
    _, written = await call(client, "file_write", path="pkg/mod.py", content="def f():\n    return 1\n")
    assert written == "created /workspace/pkg/mod.py (22 bytes)"
    _, edited = await call(client, "file_edit", path="pkg/mod.py", old="return 1", new="return 2")
    assert "+    return 2" in edited
    assert (await call(client, "file_read", path="/workspace/pkg/mod.py"))[1] == "def f():\n    return 2\n"
    assert "mod.py" in (await call(client, "file_list", path="pkg"))[1]
    assert "pkg/mod.py" in (await call(client, "file_list", glob="*.py"))[1]
    assert "pkg/mod.py:2:    return 2" in (await call(client, "file_search", pattern=r"return \d", path="pkg"))[1]
    assert (await call(client, "file_search", pattern="nowhere-to-be-found", path="pkg"))[1] == "(nothing found)"


@pytest.mark.promise("refusal.teaches")
@pytest.mark.parametrize(
    ("tool", "arguments", "rule"),
    [
        ("shell", {"command": "true && sudo id"}, "privilege.tools"),
        ("exec", {"argv": ["rm", "-rf", "/workspace"]}, "destruction.roots"),
        ("file_read", {"path": "/proc/1/environ"}, ""),
        ("file_write", {"path": "/etc/passwd", "content": "x"}, ""),
    ],
)
async def test_a_refusal_is_an_answer_with_its_rule(
    client: Client, tool: str, arguments: dict[str, Any], rule: str
) -> None:
    result = await client.call_tool(tool, arguments)

    assert result.is_error
    assert structured(result)["status"] == "denied"
    assert rule in text_of(result)
    assert "Nothing ran." in text_of(result)


async def test_an_ask_prints_the_line_with_which_a_person_allows_it(client: Client) -> None:
    result = await client.call_tool("shell", {"command": "git push origin main"})

    assert structured(result)["status"] == "approval_required"
    assert "sandgate allow 'git push'" in text_of(result)


async def test_policy_check_runs_nothing(client: Client) -> None:
    assert (await call(client, "policy_check", command="sudo id"))[0]["effect"] == "deny"
    assert (await call(client, "policy_check", path="/etc/passwd", op="write"))[0]["effect"] == "deny"
    assert "not on the list" in (await call(client, "policy_check", host="evil.example"))[1]


@pytest.mark.promise("session.alone")
async def test_sessions_are_opened_listed_used_and_closed(client: Client) -> None:
    opened, _ = await call(client, "session_open", environment="base")
    name = opened["session"]
    await call(client, "file_write", path="here.txt", content="x", session=name)

    elsewhere = await client.call_tool("file_read", {"path": "here.txt"})
    assert elsewhere.is_error
    assert name in (await call(client, "session_list"))[1]

    await call(client, "session_close", session=name)
    assert (await client.call_tool("job_output", {"session": name})).is_error


async def test_a_parameter_that_is_none_is_answered_with_those_there_are(client: Client) -> None:
    result = await client.call_tool("shell", {"command": "touch /workspace/ran", "timeout": 1})

    assert result.is_error
    assert "no parameter 'timeout'" in text_of(result)
    assert "timeout_s" in text_of(result)
    assert (await client.call_tool("file_read", {"path": "/workspace/ran"})).is_error


async def test_what_is_asked_wrongly_is_answered_with_what_to_do(client: Client) -> None:
    missing = await client.call_tool("file_read", {"path": "no/such/file"})
    assert missing.is_error
    assert "no such file" in text_of(missing).lower()

    environment = await client.call_tool("session_open", {"environment": "cobol"})
    assert "this server offers" in text_of(environment)


@pytest.mark.promise("audit.chain")
@pytest.mark.promise("call.frozen")
async def test_every_call_left_its_trail_in_one_unbroken_chain(client: Client, home: Home) -> None:
    result, _ = await call(client, "shell", command="echo audited")
    found = verify(home.folder / "state/audit/audit.jsonl")
    trail = [line["kind"] for line in home.audit() if line.get("decision_id") == result["decision_id"]]

    assert found.count > 4
    assert trail == ["call.started", "call.decided", "sandbox.job_ended", "call.ended"]
