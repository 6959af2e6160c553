"""A host that a person is asked about while the request waits: by the command line, and by a form in the client."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import ElicitRequestParams, ElicitResult

from server.ops.demo_origin import HOST, Origin
from server.settings.http import digest
from tests.end_to_end.http_rig import ANN, BOB, cli, streamable
from tests.end_to_end.http_rig import serving as serving_http
from tests.end_to_end.rig import Home, believed, connected, structured, text_of
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("approval.bound"), pytest.mark.promise("egress.only_gate")]


@pytest.fixture(scope="module")
def home(folder: Path, origin: Origin) -> Home:
    return Home(
        folder,
        settings=f'[egress]\nask = ["*.{HOST.partition(".")[2]}:{origin.port}"]\n{believed(origin.certificate)}',
    )


async def one(home: Home, kind: str, **more: Any) -> dict[str, Any]:
    """The newest line of that kind, waiting for one that fits."""
    return (await eventually(lambda: [line for line in home.audit(kind) if more.items() <= line.items()], kind))[-1]


async def test_a_person_answers_at_the_command_line_while_the_request_waits(
    client: Client, home: Home, origin: Origin
) -> None:
    results = list[Any]()

    async def fetch() -> None:
        results.append(await client.call_tool("shell", {"command": f"curl -sS {origin.url}"}))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch)
        asked = await one(home, "egress.asked")
        listed = await anyio.to_thread.run_sync(lambda: cli(home, "approvals", "list").stdout)
        await anyio.to_thread.run_sync(lambda: cli(home, "approvals", "allow", asked["approval"], "--session"))

    assert f"| send requests to {HOST}:{origin.port}" in listed
    assert "the one host that is allowed" in text_of(results[0])
    decision = structured(results[0])["decision_id"]
    for kind in ("egress.asked", "egress.approved", "egress.flow"):
        await one(home, kind, decision_id=decision, host=HOST)

    again = await client.call_tool("shell", {"command": f"curl -sS {origin.url}"})
    assert "the one host that is allowed" in text_of(again)
    assert len(home.audit("egress.asked")) == 1

    cli(home, "approvals", "revoke", asked["approval"])
    with anyio.fail_after(PATIENCE_S):
        while "A person said no" not in text_of(await client.call_tool("shell", {"command": f"curl -sS {origin.url}"})):
            await anyio.sleep(0.1)


def answering(seen: list[str]) -> Callable[..., Any]:
    async def answer(_: Any, params: ElicitRequestParams) -> ElicitResult:
        seen.append(params.message)
        return ElicitResult(action="accept", content={"allow": True})

    return answer


async def test_a_client_that_can_is_asked_while_the_command_waits(home: Home, origin: Origin) -> None:
    """In the era in which servers may ask; the later one has no way to, so there only the hold and the command line are."""
    seen = list[str]()
    fetch = {"command": f"curl -sS {origin.url}", "session": "in-client"}
    async with Client(home.parameters(), mode="legacy", elicitation_callback=answering(seen)) as client:
        text = text_of(await client.call_tool("shell", fetch))
    assert "the one host that is allowed" in text
    assert len(seen) == 1
    assert f"send requests to {HOST}:{origin.port}" in seen[0]


async def test_a_rule_of_the_operators_own_is_asked_about_each_request(
    home: Home, origin: Origin, folder: Path
) -> None:
    rule = folder / "house.rego"
    rule.write_text(
        'package sandgate_custom.house\n\negress_findings contains {"effect": "deny", "reason": "no posts", "help": "read"}'
        ' if {\n\tinput.egress.method == "POST"\n}\n'
    )
    listed = home.settings.replace("ask = ", "allow = ").replace(f'"*.{HOST.partition(".")[2]}', f'"{HOST}')
    other = Home(folder / "rules", f'{listed}\n[policy]\ncustom = ["{rule}"]\n')
    other.folder.mkdir()
    async with connected(other) as client:
        read = await client.call_tool("shell", {"command": f"curl -sS {origin.url}"})
        wrote = await client.call_tool("shell", {"command": f"curl -sS -d x {origin.url}"})
        dry = await client.call_tool("policy_check", {"host": f"{HOST}:{origin.port}"})
    assert "the one host that is allowed" in text_of(read)
    assert '"rule": "egress.policy", "reason": "no posts [custom.house] read"' in text_of(wrote)
    assert structured(dry)["effect"] == "allow"


async def test_an_entry_with_a_role_is_for_callers_of_that_role(home: Home, origin: Origin, folder: Path) -> None:
    keys = {"dev": ANN, "user": BOB}
    tokens = [
        f'[[http.tokens]]\nname = "{role}"\nsha256 = "{digest(key)}"\nroles = ["{role}"]\n'
        for role, key in keys.items()
    ]
    entry = f'allow = [{{host = "{HOST}:{origin.port}", roles = ["dev"]}}]\n'
    settings = "".join(entry if line.startswith("ask = ") else line for line in home.settings.splitlines(keepends=True))
    other = Home(folder / "roles", settings + "".join(tokens))
    other.folder.mkdir()
    said = dict[str, str]()
    with serving_http(other) as server:
        for role, key in keys.items():
            async with streamable(server, key) as client:
                result = await client.call_tool("shell", {"command": f"curl -sS {origin.url}", "session": role})
                said[role] = text_of(result)
                await client.call_tool("session_close", {"session": role})
    assert "the one host that is allowed" in said["dev"]
    assert "egress.not_allowed" in said["user"]
