"""Sandboxes of an image that has nothing: one static busybox, and what the agent adds for its commands."""

from collections.abc import AsyncGenerator

import pytest

from policy.verdict import Access
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.pattern import read_pattern
from server.sandbox.search import Line, Query, search
from tests import foreign
from tests.live import read_file, run, sandbox, using

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


@pytest.fixture(scope="module")
async def box(anyio_backend: str) -> AsyncGenerator[DockerSandbox]:
    with foreign.image("busybox", foreign.small(), ["ENV PATH=/bin"]) as tag:
        async with sandbox(image=tag, environment="tiny") as made:
            yield made


async def sh(box: DockerSandbox, script: str) -> str:
    return (await run(box, "/bin/sh", "-c", script)).text


async def test_a_command_runs_as_uid_1000_in_an_image_without_python_or_libc(box: DockerSandbox) -> None:
    assert await sh(box, "id -u; pwd") == "1000\n/workspace\n"


async def test_the_agent_brings_what_it_runs_on_and_keeps_it_to_itself(box: DockerSandbox) -> None:
    assert "Permission denied" in await sh(box, "ls /opt/sandgate/runtime")
    assert await sh(box, "ls /usr /lib") == "ls: /usr: No such file or directory\nls: /lib: No such file or directory\n"


async def test_folders_that_the_image_lacks_are_the_users(box: DockerSandbox) -> None:
    told = await sh(box, "stat -c '%a %u %g %n' /workspace /home/agent /tmp /var/tmp; ls -a /home /")

    assert told.splitlines()[:4] == [
        "755 1000 1000 /workspace",
        "700 1000 1000 /home/agent",
        "1777 0 0 /tmp",
        "1777 0 0 /var/tmp",
    ]
    assert ".sandgate" not in told
    assert await sh(box, "touch /workspace/a /home/agent/a /tmp/a /var/tmp/a && echo made") == "made\n"


async def test_the_user_has_a_name(box: DockerSandbox) -> None:
    assert await sh(box, "whoami; cat /etc/passwd; echo $HOME $SHELL") == (
        "agent\nagent:x:1000:1000:agent:/home/agent:/bin/sh\n/home/agent /bin/sh\n"
    )


async def test_the_image_says_which_shell_it_has(box: DockerSandbox) -> None:
    assert box.shell == "/bin/sh"


async def test_an_image_without_a_shell_still_runs_programs() -> None:
    with foreign.image("noshell", foreign.small(shell=False), ["ENV PATH=/bin"]) as tag:
        async with sandbox(image=tag, environment="tiny") as box:
            assert box.shell == ""
            assert (await run(box, "ls", "/bin/busybox")).text == "/bin/busybox\n"


async def test_files_are_served(box: DockerSandbox) -> None:
    await sh(box, "echo text > /workspace/file")

    assert (await read_file(box, "/workspace/file"))[1] == b"text\n"


async def test_files_are_searched_without_ripgrep(box: DockerSandbox) -> None:
    await sh(box, "mkdir -p /workspace/s; cd /workspace/s; echo '*.log' > .gitignore; echo foo1 > a; echo foo2 > a.log")
    found = await box.resolve("/workspace/s")
    seen = await search(box, using(found.real), found, Query(read_pattern(r"foo\d$"), None, 10))

    assert [(hit.path, hit.lines) for hit in seen.hits] == [("/workspace/s/a", (Line(1, "foo1", matches=True),))]
    assert seen.end == "whole"


async def test_landlock_holds_there_too(box: DockerSandbox) -> None:
    said = await run(box, "/bin/sh", "-c", "echo x > /var/tmp/y", access=Access(write=("/tmp",)))

    assert said.end.exit_code != 0
    assert "denied" in said.text


async def test_names_lead_to_the_relay(box: DockerSandbox) -> None:
    assert "127.64.0." in await sh(box, "nslookup docs.example 2>&1")


async def test_where_names_are_asked_is_the_agents_to_say(box: DockerSandbox) -> None:
    assert await sh(
        box, "cat /etc/resolv.conf; grep -c 127.0.0.1 /etc/hosts; stat -c '%a %u' /etc/resolv.conf /etc/hosts"
    ) == ("nameserver 127.0.0.1\n1\n644 0\n644 0\n")


@pytest.mark.parametrize("linked", ["workspace", "home", "tmp", "var"])
async def test_nothing_is_made_through_a_link_of_the_images(linked: str) -> None:
    files = {**foreign.small(), "elsewhere/keep": b"", linked: "/elsewhere"}
    with foreign.image("linked", files, ["ENV PATH=/bin"]) as tag:
        async with sandbox(image=tag, environment="tiny") as box:
            assert (await run(box, "/bin/ls", "/elsewhere")).text == "keep\n"


async def test_an_image_that_knows_the_user_is_left_as_it_is() -> None:
    known = b"node:x:1000:1000::/home/node:/bin/sh"
    with foreign.image("known", {**foreign.small(), "etc/passwd": known}, ["ENV PATH=/bin"]) as tag:
        async with sandbox(image=tag, environment="tiny") as box:
            assert (await run(box, "/bin/cat", "/etc/passwd")).out == known


async def test_programs_that_no_variable_reaches_find_the_gates_certificate_in_the_images_store() -> None:
    files = {**foreign.small(), "etc/ssl/certs/ca-certificates.crt": b"theirs", "etc/pki/tls/certs": "/etc/ssl/certs"}
    with foreign.image("trusting", files, ["ENV PATH=/bin"]) as tag:
        async with sandbox(image=tag, environment="tiny") as box:
            told = await sh(box, "readlink /etc/ssl/certs/ca-certificates.crt; ls -A /etc/ssl /etc/ssl/certs")

    assert told.split("\n\n") == [
        "/run/sandgate/ca.pem\n/etc/ssl:\ncerts",
        "/etc/ssl/certs:\nca-certificates.crt\n",
    ]
