"""The sets of a decision as the kernel holds them: in scripts, in their children, in daemons that outlive them."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from policy.verdict import Access, Allow
from server.judge.rego import RegoJudge
from server.sandbox.docker_sandbox import DockerSandbox, not_held
from server.sandbox.image_build import state
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.sandbox import SandboxFailed
from tests.live import BASE, Said, background, engine, run, sandbox, shell
from tests.real_engine import engine_url
from tests.server.judge.judging import BUNDLE, asks, command
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("policy.kernel"), pytest.mark.timeout(600)]

SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/dev", "/proc")
NARROW = Access(read=(*SYSTEM, "/workspace/open", "/tmp"), write=("/workspace/open", "/tmp", "/dev"))
ATTEMPTS = {
    "read": "open('/workspace/closed/secret').read()",
    "list": "__import__('os').listdir('/workspace/closed')",
    "write": "open('/workspace/closed/secret', 'a').write('x')",
    "make": "open('/workspace/new', 'w')",
    "remove": "__import__('os').unlink('/workspace/closed/secret')",
    "truncate": "__import__('os').truncate('/workspace/closed/secret', 0)",
    "move out": "__import__('os').rename('/workspace/closed/secret', '/workspace/open/got')",
    "move in": "__import__('os').rename('/workspace/open/mine', '/workspace/closed/mine')",
    "link out": "__import__('os').link('/workspace/closed/secret', '/workspace/open/linked')",
    "through a link": "open('/workspace/open/link').read()",
    "through /proc": "open('/proc/self/root/workspace/closed/secret').read()",
    "a socket": "__import__('socket').socket(1).bind('/workspace/closed/socket')",
}


@pytest.fixture(scope="module")
async def box(anyio_backend: str) -> AsyncGenerator[DockerSandbox]:
    async with sandbox(image="sandgate/python", environment="python") as made:
        await shell(
            made,
            "mkdir open closed; echo hidden > closed/secret; echo mine > open/mine; ln -s ../closed/secret open/link",
        )
        yield made


async def untouched(box: DockerSandbox) -> bool:
    return (await shell(box, "cat closed/secret; ls -A . closed")).text.split() == [
        *("hidden", ".:", "closed", "open"),
        *("closed:", "secret"),
    ]


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_a_script_is_held_to_its_sets(box: DockerSandbox, attempt: str) -> None:
    said = await run(box, "/usr/bin/python3", "-c", ATTEMPTS[attempt], access=NARROW)

    assert said.end.exit_code == 1
    assert "PermissionError" in said.text or "Invalid cross-device link" in said.text
    assert await untouched(box)


async def test_within_its_sets_it_does_what_it_likes(box: DockerSandbox) -> None:
    script = "mkdir -p a/b && echo x > a/b/c && mv a/b/c a/c && ln a/c a/d && ln -s c a/e && cat a/e && rm -r a"
    said = await shell(box, f"cd open && {script}", access=NARROW)

    assert said.text == "x\n"


BESIDE = """
import os, socket
secret = '/workspace/closed/secret'
os.stat(secret)
os.chmod(secret, 0o640); os.utime(secret, (1, 1)); os.setxattr(secret, 'user.x', b'y')
s = socket.socket(socket.AF_UNIX)
s.connect('/workspace/closed/socket')
print(s.recv(9).decode())
"""


async def test_a_limit_what_lies_beside_the_content_is_not_held(box: DockerSandbox) -> None:
    """Documented, not wished: Landlock knows no right for it."""
    serve = "import socket; s = socket.socket(1); s.bind('closed/socket'); s.listen(); print('up', flush=True); s.accept()[0].send(b'served')"
    served = Said()
    await box.run(background("python3", "-c", serve), served)
    await eventually(lambda: b"up" in served.out)
    said = await run(box, "/usr/bin/python3", "-c", BESIDE, access=NARROW)
    await shell(box, "rm closed/socket")

    assert said.text == "served\n"


async def test_a_child_and_a_daemon_are_held_too(box: DockerSandbox) -> None:
    look = "cat /workspace/closed/secret > /workspace/open/told 2>&1; echo $? >> /workspace/open/told; mv /workspace/open/told /workspace/open/result"
    child = await run(
        box, "/usr/bin/python3", "-c", "import os; os.system('cat /workspace/closed/secret')", access=NARROW
    )
    await shell(box, f"(setsid setsid bash -c 'sleep 0.2; {look}' >/dev/null 2>&1 &)", access=NARROW)
    with anyio.fail_after(PATIENCE_S):
        while not (told := (await shell(box, "cat open/result 2>/dev/null; true")).text):
            await anyio.sleep(0.05)
    await shell(box, "rm open/result")

    assert "hidden" not in child.text
    assert "Permission denied" in told
    assert told.split()[-1] == "1"


async def sleeping(box: DockerSandbox, seconds: int) -> None:
    """A process that another command has left: not its shell on the way there."""
    await shell(box, f"(setsid sleep {seconds} >/dev/null 2>&1 &)")
    with anyio.fail_after(PATIENCE_S):
        while (await shell(box, f"pgrep -fx 'sleep {seconds}'")).end.exit_code != 0:
            await anyio.sleep(0.05)


async def test_a_signal_reaches_no_other_commands_processes(box: DockerSandbox) -> None:
    await sleeping(box, 710)
    said = await shell(box, "pkill -fx 'sleep 710'; kill -9 $(pgrep -fx 'sleep 710'); pgrep -cfx 'sleep 710'")

    assert said.out == b"1\n"


LIMIT = """
import os, resource
other = int(os.popen('pgrep -fx "sleep 720"').read())
for pid, new in ((0, (64, 64)), (other, None), (other, (0, 0)), (other, (64, 64))):
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, *([new] if new else []))
        print('done')
    except PermissionError:
        print('refused')
"""


async def test_nor_does_a_limit_which_could_end_them_as_well(box: DockerSandbox) -> None:
    await sleeping(box, 720)
    said = await run(box, "python3", "-c", LIMIT)

    assert said.text.split() == ["done", "done", "refused", "refused"]


async def test_the_default_lets_developers_work(box: DockerSandbox) -> None:
    judge = RegoJudge.load(BUNDLE, {})
    verdict = await judge.decide(asks(command("python3", "x.py")))
    judge.close()
    assert isinstance(verdict, Allow)
    script = r"""set -eu; cd /tmp; rm -rf work; mkdir work; cd work
printf '[project]\nname = "demo"\nversion = "1"\n' > pyproject.toml
python3 -m venv .venv; .venv/bin/python -m pip --version > /dev/null
mkdir pkg; printf 'x = 1\n' > pkg/__init__.py; printf 'import pkg\ndef test_x(tmp_path): assert pkg.x == 1\n' > test_x.py
python -m pytest -q -p no:cacheprovider | tail -n 1
git init -q; git add test_x.py pkg; git commit -qm one; git mv test_x.py test_y.py; git commit -qam two; git gc -q; git log --format=%s
python -c 'import multiprocessing as m; q = m.Queue(); q.put(1); print(q.get())'
mkdir -p /var/tmp/a /home/agent/b; mv pkg /var/tmp/a/pkg; mv /var/tmp/a/pkg /home/agent/b/pkg; echo moved"""
    said = await shell(box, script, timeout_s=500, access=verdict.access)

    assert said.end.exit_code == 0, said.text
    lines = said.text.splitlines()
    assert lines[0].startswith("1 passed")
    assert lines[1:] == ["two", "one", "1", "moved"]


async def test_npm_works_under_the_default() -> None:
    with_npm = (
        'set -e; cd /workspace; mkdir -p p lib; echo \'{"name": "lib", "version": "1.0.0"}\' > lib/package.json; cd p; '
    )
    with_npm += "npm init -y >/dev/null; npm install --offline ../lib >/dev/null; npm ls --depth=0 | tail -n 2"
    if state(engine_url(), "node").state == "missing":
        pytest.skip("there is no node image here: sandgate images build node")
    async with sandbox(image="sandgate/node", environment="node") as made:
        said = await shell(made, with_npm, timeout_s=500)

    assert said.end.exit_code == 0, said.text
    assert "lib@1.0.0" in said.text


@pytest.fixture
def no_landlock(tmp_path: Path) -> Path:
    """Our profile without Landlock's calls: to a sandbox that is a kernel without it."""
    profile = json.loads(seccomp_file().read_text())
    for group in profile["syscalls"]:
        group["names"] = [name for name in group["names"] if not name.startswith("landlock_")]
    profile["syscalls"].append(
        {
            "names": ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 38,
        }
    )
    (tmp_path / "seccomp.json").write_text(json.dumps(profile))
    return tmp_path / "seccomp.json"


@pytest.mark.promise("weakening.said")
async def test_without_landlock_commands_run_and_that_is_said_once(no_landlock: Path) -> None:
    said: list[str] = []
    async with engine(weakened=said, seccomp=no_landlock) as made:
        for _ in range(2):
            box = await made.create(BASE)
            assert (await shell(box, "echo fine")).text == "fine\n"
            await box.close()

    assert len([sentence for sentence in said if "no usable Landlock" in sentence]) == 1


@pytest.mark.promise("weakening.said")
@pytest.mark.parametrize(("abi", "words"), [(2, ["empty files", "signals"]), (5, ["signals"]), (6, []), (7, [])])
def test_what_an_older_version_leaves_open_is_said(abi: int, words: list[str]) -> None:
    said = list(not_held(abi))

    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


@pytest.mark.promise("weakening.said")
async def test_where_it_is_required_nothing_starts_without_it(no_landlock: Path) -> None:
    async with engine(seccomp=no_landlock) as made:
        with pytest.raises(SandboxFailed, match=r"no usable Landlock, and sandbox\.require_landlock"):
            await made.create(replace(BASE, landlock_required=True))
