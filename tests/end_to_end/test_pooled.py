"""A sandbox that waited warm and one that was made for the call are the same to whoever gets them."""

from pathlib import Path

import pytest
from mcp import Client

from server.ops.demo_origin import HOST, serving
from tests.end_to_end.rig import Home, believed, connected, structured, text_of
from tests.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.promise("session.alone")]

WHAT_A_COMMAND_SEES = r"""
id; env | sort; ulimit -a; umask; hostname; pwd
grep -E '^(Cap|NoNewPrivs|Seccomp|Groups)' /proc/self/status
awk '{print $2, $3}' /proc/mounts | sort
find / -xdev -maxdepth 2 -newer /etc/hostname ! -path '/proc/*' ! -path '/tmp/*' ! -name hosts ! -name resolv.conf -printf '%p %u %m\n' 2>/dev/null | sort
cat /etc/hosts /etc/resolv.conf
for place in /etc /usr /root; do touch $place/x 2>&1; done
python3 -c 'for place in ("/opt/sandgate", "/run/sandgate"):
    try: open(f"{place}/x", "w")
    except OSError as exc: print(exc)'
ls -A /workspace /tmp ~
cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null
"""
WHAT_IT_REACHES = """
curl -sS -o /dev/null -w '%{{http_code}} {host}\\n' {url}
curl -sS https://elsewhere.example/ | sed -E 's/"decision_id": *"[^"]*"//'
curl -sS https://{refused}/ | sed -E 's/"decision_id": *"[^"]*"//'
"""


async def seen(client: Client, session: str, script: str) -> str:
    found = structured(await client.call_tool("shell", {"command": script, "session": session}))
    assert found["exit_code"] == 0 or found["stdout"], found
    return f"{found['stdout']}{found['stderr']}"


async def test_a_pooled_sandbox_and_a_cold_one_behave_the_same(folder: Path) -> None:
    with serving(folder) as origin:
        also = f'"{HOST}:{origin.port}", "also.example"'
        settings = (
            f'environment = "base"\n[policy]\nprofile = "open"\n[egress]\nallow = [{also}]\n'
            f"{believed(origin.certificate)}"
        )
        home = Home(folder, settings=settings)
        narrow = [f"{HOST}:{origin.port}"]
        async with connected(home) as client:
            opened = await client.call_tool("session_open", {"session": "cold", "network": narrow})
            assert not opened.is_error, text_of(opened)
            until(lambda: len(home.audit("sandbox.created")) == 2, "no sandbox became warm")
            ahead = [line["sandbox"] for line in home.audit("sandbox.created")]
            await client.call_tool("session_open", {"session": "warm", "network": narrow})
            claimed = [line["sandbox"] for line in home.audit("sandbox.claimed")]
            reach = WHAT_IT_REACHES.format(host=HOST, url=origin.url, refused="also.example")

            assert claimed == ahead  # the second was there before it was wanted
            for script in (WHAT_A_COMMAND_SEES, reach):
                assert await seen(client, "warm", script) == await seen(client, "cold", script)
            assert f"200 {HOST}" in await seen(client, "warm", reach)
            assert "egress.not_allowed" in await seen(client, "warm", reach)
