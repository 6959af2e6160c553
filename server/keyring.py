"""Keeps the gate's copy of every secret fresh: a changed file is seen within a second, a command is asked again and again."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import anyio

from server.secret_values import NoValue, value_of
from server.settings.secret import SecretSettings

LOOK_EVERY_S: Final = 1.0

log = logging.getLogger("sandgate")

type Told = Sequence[Mapping[str, Any]]
type Stamp = tuple[int, int, int] | None  # of a file: change time, size, inode


class Keyring:
    """The secrets of the settings. Nothing is read before a gate starts: a server that nobody calls runs no command."""

    def __init__(
        self,
        secrets: tuple[SecretSettings, ...],
        environ: Mapping[str, str],
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._secrets, self._environ, self._clock = secrets, environ, clock
        self._told: dict[str, Mapping[str, Any]] = {}
        self._stamps: dict[str, Stamp] = {}
        self._asked: dict[str, float] = {}
        self._lacks: dict[str, str] = {}

    def values(self) -> list[str]:
        """Those that have been read so far, for what must not hold them."""
        return [told["value"] for told in self._told.values() if "value" in told]

    async def all(self) -> Told:
        """Each with its value, or with why it has none; for a gate that has just been started."""
        async with anyio.create_task_group() as tasks:
            for secret in self._secrets:
                tasks.start_soon(self._read, secret)
        return list(self._told.values())

    async def keep(self, tell: Callable[[Told], Awaitable[None]]) -> None:
        """Tell of new values for as long as the server lives."""
        while self._secrets:
            await anyio.sleep(LOOK_EVERY_S)
            before = dict(self._told)
            for secret in self._secrets:
                if secret.name in self._told and self._is_due(secret):
                    await self._read(secret)
            if self._told != before:
                await tell(list(self._told.values()))

    def _is_due(self, secret: SecretSettings) -> bool:
        if secret.file is not None:
            return _stamp(secret) != self._stamps.get(secret.name)
        return bool(secret.command) and self._clock() - self._asked.get(secret.name, 0.0) > secret.refresh_s

    async def _read(self, secret: SecretSettings) -> None:
        """One that cannot be read any more keeps the value that it had: whoever rotates writes a file anew."""
        self._stamps[secret.name], self._asked[secret.name] = _stamp(secret), self._clock()
        try:
            value = await value_of(secret, self._environ)
        except NoValue as exc:
            self._miss(secret, f"{exc}.")
        else:
            self._lacks.pop(secret.name, None)
            self._told[secret.name] = {**_binding(secret), "value": value}

    def _miss(self, secret: SecretSettings, lack: str) -> None:
        if self._lacks.get(secret.name) != lack:
            log.warning("the secret %s cannot be read: %s", secret.name, lack)
        self._lacks[secret.name] = lack
        if "value" not in self._told.get(secret.name, {}):
            self._told[secret.name] = {**_binding(secret), "lack": lack}


def _binding(secret: SecretSettings) -> dict[str, Any]:
    return {"name": secret.name, "host": secret.host, "headers": list(secret.headers), "paths": list(secret.paths)}


def _stamp(secret: SecretSettings) -> Stamp:
    try:
        info = secret.file.stat() if secret.file else None
    except OSError:
        return None
    return (info.st_mtime_ns, info.st_size, info.st_ino) if info else None
