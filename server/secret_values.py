"""Where a secret's value is read from: a variable of this process, a file, or what a command prints. Never a settings file.

No sentence in here holds any of a value, or of what a command said on its way to one.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from subprocess import DEVNULL, PIPE  # noqa: TID251  two constants for anyio.run_process
from typing import Final

import anyio
import anyio.to_thread

from server.settings.secret import SecretSettings

SHORTEST: Final = 8  # characters; the gate would mask anything shorter in texts that are not about it
LONGEST: Final = 8192
COMMAND_S: Final = 8.0  # within what a gate has for its start


class NoValue(Exception):
    """The value of a secret cannot be had just now; the sentence says why."""


async def value_of(secret: SecretSettings, environ: Mapping[str, str]) -> str:
    """Raises NoValue."""
    if secret.env is not None:
        value = _from_environment(secret.env, environ)
    elif secret.file is not None:
        value = await anyio.to_thread.run_sync(_from_file, secret.file)
    else:
        value = await _from_command(secret.command, environ)
    return _checked(value.strip("\r\n"))


def at_hand(secret: SecretSettings, environ: Mapping[str, str]) -> str | None:
    """Its value where no command has to be run for it; none where it cannot be had just now."""
    try:
        return _text_at_hand(secret, environ) or None
    except NoValue:
        return None


def _text_at_hand(secret: SecretSettings, environ: Mapping[str, str]) -> str:
    if secret.env is not None:
        return _from_environment(secret.env, environ).strip("\r\n")
    return _from_file(secret.file).strip("\r\n") if secret.file is not None else ""


def lacking(secrets: Iterable[SecretSettings], environ: Mapping[str, str]) -> list[str]:
    """A sentence for each that cannot be had just now. No command is run for that."""
    found: list[str] = []
    for secret in secrets:
        try:
            if secret.env is not None or secret.file is not None:
                _checked(_text_at_hand(secret, environ))
        except NoValue as exc:
            found.append(
                f"the secret {secret.name} has no value: {exc}; requests to {secret.host} that need it are refused"
            )
    return found


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise NoValue(f"the server's environment has no {name}")
    return environ[name]


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _text(file.read(LONGEST + 3))
    except OSError as exc:
        raise NoValue(f"{path} cannot be read: {exc.strerror}") from exc


async def _from_command(command: tuple[str, ...], environ: Mapping[str, str]) -> str:
    try:
        with anyio.fail_after(COMMAND_S):
            done = await anyio.run_process(
                command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, check=False, env=dict(environ)
            )
    except TimeoutError as exc:
        raise NoValue(f"{command[0]} did not end within {COMMAND_S:.0f} s") from exc
    except OSError as exc:
        raise NoValue(f"{command[0]} cannot be run: {exc.strerror}") from exc
    if done.returncode:
        raise NoValue(f"{command[0]} ended with status {done.returncode}")
    return _text(done.stdout)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NoValue("it is not UTF-8") from None  # the cause would quote it


def _checked(value: str) -> str:
    if not SHORTEST <= len(value) <= LONGEST:
        raise NoValue(f"it has {len(value)} characters; {SHORTEST} to {LONGEST} are possible")
    if not all(" " <= c <= "~" or "\xa0" <= c <= "\xff" for c in value):
        raise NoValue("it holds characters that a header cannot carry")
    return value
