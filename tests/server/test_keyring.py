from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from server import keyring
from server.keyring import Keyring, Told
from server.network_settings import SecretSettings

pytestmark = pytest.mark.anyio


def secret(name: str, **where: Any) -> SecretSettings:
    return SecretSettings(name=name, variable=name.upper(), host="a.test:8443", paths=("/v1/*",), **where)


async def told_after(ring: Keyring, change: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Told:
    """What a keyring that is kept tells of the change."""
    monkeypatch.setattr(keyring, "LOOK_EVERY_S", 0.01)
    told: list[Told] = []
    heard = anyio.Event()

    async def tell(secrets: Told) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(secrets)
        heard.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ring.keep, tell)
        change()
        with anyio.fail_after(10):
            await heard.wait()
        tasks.cancel_scope.cancel()
    return told[0]


async def test_the_gate_is_told_where_each_may_go_and_what_is_missing(tmp_path: Path) -> None:
    ring = Keyring((secret("one", env="ONE"), secret("two", file=tmp_path / "gone")), {"ONE": "value-of-one"})
    one, two = sorted(await ring.all(), key=lambda told: str(told["name"]))

    assert one == {"name": "one", "host": "a.test:8443", "headers": ["authorization"], "paths": ["/v1/*"], "value": "value-of-one"}  # fmt: skip
    assert "cannot be read" in two["lack"]
    assert "value" not in two


async def test_a_file_that_changes_is_told_and_one_that_goes_keeps_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "value"
    path.write_text("first-value")
    gone = tmp_path / "other"
    gone.write_text("other-value")
    ring = Keyring((secret("one", file=path), secret("two", file=gone)), {})
    await ring.all()
    gone.unlink()

    def rotate() -> None:
        path.write_text("second-value!")

    told = await told_after(ring, rotate, monkeypatch)

    assert {secret["name"]: secret["value"] for secret in told} == {"one": "second-value!", "two": "other-value"}


async def test_a_command_is_asked_again_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, now = tmp_path / "value", [0.0]
    path.write_text("first-value")
    ring = Keyring((secret("one", command=("cat", str(path))),), {"PATH": "/usr/bin:/bin"}, lambda: now[0])
    await ring.all()
    path.write_text("second-value")

    def later() -> None:
        now[0] = 301.0

    told = await told_after(ring, later, monkeypatch)

    assert [secret["value"] for secret in told] == ["second-value"]


async def test_without_secrets_nothing_is_kept() -> None:
    async def tell(_: Told) -> None:
        raise AssertionError

    never: Awaitable[None] = Keyring((), {}).keep(tell)
    await never
