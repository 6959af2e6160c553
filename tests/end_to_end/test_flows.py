"""What leaves a sandbox: one host is allowed, every other is refused in words, and the audit knows which call it was."""

import json
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from server.ops.demo_origin import HOST, Origin
from tests.end_to_end.rig import PROGRAM, Home, believed, called, connected, structured, text_of
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("egress.only_gate")]


@pytest.fixture(scope="module")
def home(folder: Path, origin: Origin) -> Home:
    return Home(
        folder,
        settings=f'[egress]\nallow = ["{HOST}:{origin.port}"]\n{believed(origin.certificate)}',
    )


async def shell(client: Client, command: str) -> tuple[dict[str, object], str]:
    result = await called(client, "shell", command=command)
    return structured(result), text_of(result)


async def test_an_allowed_host_answers_and_the_audit_names_the_call(client: Client, home: Home, origin: Origin) -> None:
    result, text = await shell(client, f"curl -sS {origin.url}")

    assert "the one host that is allowed" in text
    flows = await eventually(
        lambda: [f for f in home.audit("egress.flow") if f["decision_id"] == result["decision_id"]]
    )
    (flow,) = flows
    assert (flow["host"], flow["address"], flow["port"], flow["status"]) == (HOST, "127.0.0.1", origin.port, 200)
    assert (flow["method"], flow["rule"], flow["path"]) == ("GET", f"{HOST}:{origin.port}", "/hello")
    assert (flow["attribution"], flow["caller"], flow["jobs"]) == ("only_job", "local", [result["job"]])


async def test_the_very_first_call_of_a_server_already_has_a_network(folder: Path, home: Home, origin: Origin) -> None:
    async with connected(home) as fresh:
        _, text = await shell(fresh, f"curl -sS {origin.url}")

    assert "the one host that is allowed" in text


@pytest.mark.promise("egress.refusal_explains")
async def test_any_other_host_answers_403_with_the_reason_and_the_way_out(client: Client, home: Home) -> None:
    program = "import urllib.request, urllib.error\ntry: urllib.request.urlopen('https://elsewhere.example/')\nexcept urllib.error.HTTPError as e: print(e.code, e.read().decode())"
    result, text = await shell(client, f"python3 - <<'EOF'\n{program}\nEOF")
    code, _, body = str(result["stdout"]).partition(" ")
    told = json.loads(body)

    assert code == "403"
    assert (told["host"], told["rule"], told["decision_id"]) == (
        "elsewhere.example",
        "egress.not_allowed",
        result["decision_id"],
    )
    assert any(HOST in entry for entry in told["allowed"])
    assert "[the gate refused elsewhere.example:443" in text
    assert [line["host"] for line in home.audit("egress.refused") if line["decision_id"] == result["decision_id"]] == [
        "elsewhere.example"
    ]


async def test_without_any_proxy_variable_names_still_lead_to_the_gate(client: Client) -> None:
    script = "env -u HTTPS_PROXY -u https_proxy -u HTTP_PROXY -u http_proxy python3 -c \"import urllib.request as u\ntry: u.urlopen('http://elsewhere.example/')\nexcept Exception as e: print(e.code)\""
    _, text = await shell(client, script)

    assert text.startswith("403")


TOGETHER = """
touch here.NAME; until [ -e here.one ] && [ -e here.two ]; do sleep 0.02; done
HOW python3 -c 'import contextlib, urllib.request as u
for path in range(10):
    with contextlib.suppress(OSError): u.urlopen(f"http://NAME.example/{path}")'
touch done.NAME; until [ -e done.one ] && [ -e done.two ]; do sleep 0.02; done
"""
AS_ANOTHER = """
import os, socket
sock = socket.socket(socket.AF_UNIX)
sock.connect("/run/sandgate/egress.sock")
sock.sendall(b"\\0mark\\x03d-9GET http://three.example/ HTTP/1.1\\r\\nHost: three.example\\r\\n\\r\\n")
print(sock.recv(9))
"""


async def test_of_calls_that_run_at_once_each_is_named_for_what_it_sent(client: Client, home: Home) -> None:
    told: dict[str, object] = {}
    texts: dict[str, str] = {}

    async def call(name: str, how: str) -> None:
        result, texts[name] = await shell(client, TOGETHER.replace("NAME", name).replace("HOW", how))
        told[name] = result["decision_id"]
        assert f"[the gate refused {name}.example:80" in texts[name]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, "one", "")
        tasks.start_soon(call, "two", "env -u http_proxy")

    # Where the agent has no processor in time, a connection is of either: it is never of the wrong one.
    await eventually(lambda: {line["host"] for line in named(home)} == {"one.example", "two.example"})
    assert {line["host"].partition(".")[0]: line["decision_id"] for line in named(home)} == told
    assert {line["caller"] for line in named(home)} == {"local"}
    unsure = [line for line in together(home) if line not in named(home)]
    assert {(line["attribution"], *sorted(line["decision_ids"])) for line in unsure} <= {
        ("any_of", *sorted(map(str, told.values())))
    }
    assert unsure or {text.count("[the gate refused") for text in texts.values()} == {1}


def together(home: Home) -> list[dict[str, Any]]:
    return [line for line in home.audit("egress.refused") if line["host"] in ("one.example", "two.example")]


def named(home: Home) -> list[dict[str, Any]]:
    """Those of which the kernel named the process."""
    return [line for line in together(home) if line["attribution"] == "process"]


async def test_what_a_sandbox_says_of_itself_cannot_name_a_call_that_is_not_its_own(client: Client, home: Home) -> None:
    result, text = await shell(client, f"python3 - <<'EOF'\n{AS_ANOTHER}\nEOF")

    assert text.startswith("b'HTTP/1.1 '")
    (line,) = [line for line in home.audit("egress.refused") if line["host"] == "three.example"]
    assert (line["decision_id"], line["attribution"]) == (result["decision_id"], "only_job")


async def test_a_session_may_narrow_its_network_to_nothing_of_it(client: Client, origin: Origin) -> None:
    refused = await client.call_tool("session_open", {"network": ["elsewhere.example"]})

    assert refused.is_error
    assert "not among the allowed hosts" in text_of(refused)


async def test_what_a_person_allows_is_taken_up_by_the_running_server(client: Client, home: Home) -> None:
    asked = await client.call_tool("shell", {"command": "git -C /tmp push --porcelain nowhere main"})
    assert "sandgate allow 'git push'" in text_of(asked)

    done = subprocess.run([PROGRAM, "allow", "git push"], env=home.environ, capture_output=True, text=True, check=True)
    assert "git push" in done.stdout
    with anyio.fail_after(PATIENCE_S):
        while (await client.call_tool("shell", {"command": "git -C /tmp push --porcelain nowhere main"})).is_error:
            await anyio.sleep(0.1)


async def test_a_host_that_a_person_allows_opens_without_a_restart(client: Client, home: Home) -> None:
    subprocess.run([PROGRAM, "allow", "elsewhere.example"], env=home.environ, capture_output=True, check=True)
    probe = "python3 -c \"import urllib.request as u\ntry: u.urlopen('http://elsewhere.example/')\nexcept Exception as e: print(e.code, e.read().decode())\""
    with anyio.fail_after(PATIENCE_S):
        while "egress.not_allowed" in (await shell(client, probe))[1]:
            await anyio.sleep(0.1)
