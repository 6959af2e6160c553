from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from server import keyring
from server.keyring import Keyring, Told
from server.settings.secret import SecretSettings
from tests.waiting import PATIENCE_S

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
        with anyio.fail_after(PATIENCE_S):
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


class Clock:
    """Stands still. It knows how often it was read, as it is at each look."""

    def __init__(self, times: int) -> None:
        self._left, self.enough = times, anyio.Event()

    def __call__(self) -> float:
        self._left -= 1
        if self._left <= 0:
            self.enough.set()
        return 1000.0


async def test_what_did_not_change_and_is_not_due_is_not_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "value", Clock(5)
    path.write_text("first-value")
    monkeypatch.setattr(keyring, "LOOK_EVERY_S", 0.01)
    ring = Keyring((secret("one", command=("cat", str(path))),), {"PATH": "/usr/bin:/bin"}, clock)
    await ring.all()
    path.write_text("second-value")
    told: list[Told] = []

    async def tell(secrets: Told) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(secrets)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ring.keep, tell)
        with anyio.fail_after(PATIENCE_S):
            await clock.enough.wait()
        tasks.cancel_scope.cancel()

    assert told == []
    assert ring.values() == ["first-value"]


async def test_what_must_not_hold_them_is_given_the_values_alone(tmp_path: Path) -> None:
    ring = Keyring((secret("one", env="ONE"), secret("two", file=tmp_path / "gone")), {"ONE": "value-of-one"})
    assert ring.values() == []
    await ring.all()

    assert ring.values() == ["value-of-one"]


@pytest.mark.promise("secrets.outside")
async def test_what_is_missing_is_said_once_and_again_when_it_is_missing_otherwise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "value"
    ring = Keyring((secret("one", file=path),), {})
    for _ in range(2):
        await ring.all()
    path.write_text("short")
    await ring.all()

    assert caplog.text.count("the secret one cannot be read") == 2
    assert "short" not in caplog.text


async def test_without_secrets_nothing_is_kept() -> None:
    async def tell(_: Told) -> None:
        raise AssertionError

    never: Awaitable[None] = Keyring((), {}).keep(tell)
    await never
