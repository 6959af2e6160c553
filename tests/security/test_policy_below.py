"""What a verdict holds below its words: the kernel keeps a command to the judged sets where no parser saw what it does."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from policy.verdict import Access, Allow, Deny
from server.judge.rego import RegoJudge
from server.sandbox.docker_sandbox import DockerSandbox
from tests.live import run, sandbox, shell
from tests.server.judge.judging import BUNDLE, asks, command, opens

pytestmark = [pytest.mark.anyio, pytest.mark.promise("policy.kernel")]
STRICT = {"profile": "strict", "allow": ["python3"]}


@pytest.fixture(scope="module")
async def box() -> AsyncGenerator[DockerSandbox]:
    async with sandbox(image="sandgate/python", environment="python") as made:
        yield made


async def access(settings: Mapping[str, Any]) -> Access:
    """What the real bundle lets `python3 x.py` do."""
    judge = RegoJudge.load(BUNDLE, settings)
    verdict = await judge.decide(asks(command("python3", "x.py")))
    judge.close()
    assert isinstance(verdict, Allow)
    return verdict.access


async def python(box: DockerSandbox, program: str, held: Access) -> str:
    return (await run(box, "/usr/bin/python3", "-c", program, access=held)).text


async def test_under_strict_a_script_cannot_start_what_is_not_listed(box: DockerSandbox) -> None:
    held = await access(STRICT)

    assert "PermissionError" in await python(box, "import os; os.execvp('curl', ['curl', '--version'])", held)
    assert "PermissionError" in await python(box, "import subprocess; subprocess.run(['/usr/bin/make', '-v'])", held)
    assert "/workspace" in await python(box, "import subprocess; subprocess.run(['ls', '-d', '/workspace'])", held)


async def test_under_strict_a_planted_program_does_not_start(box: DockerSandbox) -> None:
    held = await access(STRICT)
    await shell(box, "cp /usr/bin/true /workspace/mine && chmod +x /workspace/mine")

    assert "PermissionError" in await python(box, "import os; os.execv('/workspace/mine', ['mine'])", held)


async def test_a_script_cannot_write_where_the_policy_did_not_say(box: DockerSandbox) -> None:
    held = await access({})
    strict = await access(STRICT)
    writes = "import sys; open(sys.argv[1] if len(sys.argv) > 1 else '{}', 'w').write('x'); print('written')"

    assert "written" in await python(box, writes.format("/home/agent/note"), held)
    assert "PermissionError" in await python(box, writes.format("/home/agent/note"), strict)
    assert "PermissionError" in await python(box, writes.format("/opt/note"), held)
    assert "PermissionError" in await python(box, writes.format("/run/note"), held)


async def test_a_limit_the_loader_runs_what_may_only_be_read(box: DockerSandbox) -> None:
    """Documented, not wished: execute sets are best effort, for a listed program can load another one's code."""
    held = await access(STRICT)
    loader = (
        "import glob, os; l = glob.glob('/lib*/ld-linux-*.so.*')[0]; os.execv(l, [l, '/usr/bin/curl', '--version'])"
    )

    assert "curl " in await python(box, loader, held)


async def test_a_limit_a_program_in_memory_runs(box: DockerSandbox) -> None:
    """Documented, not wished: a memfd has no path, so no path rule speaks of it."""
    held = await access(STRICT)
    memory = (
        "import os; fd = os.memfd_create('x'); os.write(fd, open('/usr/bin/curl', 'rb').read());"
        " os.execve(fd, ['curl', '--version'], {})"
    )

    assert "curl " in await python(box, memory, held)


async def test_a_limit_a_deny_below_an_allowed_folder_binds_no_script(box: DockerSandbox) -> None:
    """Documented, not wished: Landlock cannot take away from what it allows, so such a rule holds where it can be read."""
    settings = {"paths": [{"glob": "/workspace/keys/**", "ops": ["read"], "effect": "deny"}]}
    await shell(box, "mkdir -p /workspace/keys && echo kept > /workspace/keys/one")
    judge = RegoJudge.load(BUNDLE, settings)
    named = await judge.decide(opens("/workspace/keys/one"))
    judge.close()

    assert isinstance(named, Deny)
    assert "kept" in await python(box, "print(open('/workspace/keys/one').read())", await access(settings))
