"""The attempts of `sandgate doctor`, against a sandbox that holds, one with a hole, and a container that holds nothing."""

import inspect
import json
from pathlib import Path

import pytest
from docker.types import Mount

from server.ops import attempts
from server.ops.check import Check
from server.ops.trial import HELD, broken, judged
from tests.live import BASE, engine, sandbox
from tests.real_engine import run

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]
LAXEST = {"defaultAction": "SCMP_ACT_ALLOW"}


def outcomes(checks: list[Check]) -> dict[str, str]:
    return {check.id.removeprefix("held_"): check.outcome for check in checks}


async def test_everything_holds_in_a_sandbox_of_ours() -> None:
    found: list[Check] = []
    async with sandbox() as box:
        await broken(box, (), found.append)

    assert {name for name, outcome in outcomes(found).items() if outcome != "ok"} == set()
    assert {*outcomes(found)} == {*HELD}


async def test_a_sandbox_whose_filter_lets_everything_through_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "lax.json").write_text(json.dumps(LAXEST))
    found: list[Check] = []
    async with engine(seccomp=tmp_path / "lax.json") as made:
        box = await made.create(BASE)
        await broken(box, (), found.append)
        await box.close()

    assert outcomes(found)["seccomp"] == "fail"
    (check,) = (each for each in found if each.id == "held_seccomp")
    assert "io_uring_setup" in check.sentence
    assert check.fix


def test_where_nothing_holds_every_attempt_says_so(tmp_path: Path) -> None:
    """A privileged container, root, with a bridge, the engine's socket's name and namespaces that we are told of."""
    (tmp_path / "docker.sock").touch()
    inside = 'ip=$(readlink /proc/self/ns/pid); python3 -I -c "$1" "$ip"; kill -0 $$'
    code, text = run(
        "sandgate/base",
        "/bin/sh",
        ["-c", inside, "sh", inspect.getsource(attempts)],
        user="0",
        privileged=True,
        network_mode="bridge",
        mounts=[Mount("/run/docker.sock", str(tmp_path / "docker.sock"), "bind")],
    )

    assert code == 0, text
    found = list(judged(json.loads(text), landlock_abi=7))
    assert {name for name, outcome in outcomes(found).items() if outcome != "fail"} == set()


def test_an_attempt_that_was_not_made_did_not_hold() -> None:
    assert {check.outcome for check in judged({}, landlock_abi=7)} == {"fail"}


def test_without_landlock_what_it_would_hold_is_a_weakness_and_not_a_failure() -> None:
    told = {**dict.fromkeys(HELD, ""), "landlock": "a folder outside could be written"}

    found = outcomes(list(judged(told, landlock_abi=0)))

    assert found.pop("landlock") == "warn"
    assert {*found.values()} == {"ok"}
