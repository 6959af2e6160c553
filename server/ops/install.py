"""`sandgate install CLIENT`: one entry in a client's file, everything else in it left as it was, and taken out again."""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from server.ops import jsonc, toml_text, yaml_text
from server.ops.clients import NAME, Client, Format, Place, engine_socket, entry, is_ours, place

_DIGITS: Final = 12


class NotOurs(Exception):
    """The client's file cannot be changed without risking what is in it; the sentence says what to do by hand."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file holds now and what it would hold (None: there is none). `spent`: backups that are then done with."""

    path: Path
    before: str | None
    after: str | None
    spent: tuple[Path, ...] = ()

    @property
    def changes(self) -> bool:
        return (self.before or "") != (self.after or "")


@dataclass(frozen=True, slots=True)
class Written:
    path: Path
    backup: Path | None


class _Text(NamedTuple):
    """How a format is read and edited."""

    read: Callable[[str], dict[str, Any]]
    put: Callable[..., str]
    take: Callable[[str, str, str], str]


_TEXTS: Final[Mapping[Format, _Text]] = {
    "json": _Text(jsonc.read, jsonc.put, jsonc.take),
    "toml": _Text(toml_text.read, toml_text.put, toml_text.take),
    "yaml": _Text(yaml_text.read, yaml_text.put, yaml_text.take),
}


def plan_install(
    client: Client,
    program: Path,
    *,
    environ: Mapping[str, str],
    home: Path,
    platform: str,
    extra: tuple[str, ...] = (),
    project: Path | None = None,
    force: bool = False,
    container: bool = False,
) -> Plan:
    """`program` is the console script; `extra` follows `serve --stdio`. Nothing is written: `apply` does that.

    container: the server runs as one, see `clients.entry`. force: also where a server of somebody else's has our name.
    """
    where = place(client, environ, home, platform, project)
    socket = engine_socket(environ, platform) if container else ""
    ours, before = entry(where, program, extra, environ, socket), _read(where.path)
    by_hand = f"add this to {where.key!r} by hand: {json.dumps({NAME: ours})}"
    servers = _servers(before, where, by_hand)
    if servers.get(NAME) == ours:
        return Plan(where.path, before, before)
    _demand_ours(servers, where, "overwrite", force=force)
    return Plan(where.path, before, _edited(before, where, {**servers, NAME: ours}, by_hand))


def plan_uninstall(
    client: Client,
    *,
    environ: Mapping[str, str],
    home: Path,
    platform: str,
    project: Path | None = None,
    force: bool = False,
) -> Plan:
    """Back to the byte where nobody changed the file since; else without our entry and with every change kept."""
    where = place(client, environ, home, platform, project)
    before = _read(where.path)
    by_hand = f"remove {NAME!r} from {where.key!r} by hand"
    servers = _servers(before, where, by_hand)
    if NAME not in servers:
        return Plan(where.path, before, before)
    _demand_ours(servers, where, "remove", force=force)
    spent, old = _restored(where, before or "", by_hand)
    if old is not None:
        return Plan(where.path, before, old, spent)
    left = {name: value for name, value in servers.items() if name != NAME}
    after = _edited(before, where, left, by_hand)
    if _is_bare(after, where, by_hand):
        return Plan(where.path, before, None, spent)
    return Plan(where.path, before, after)


def apply(plan: Plan, now: datetime) -> Written:
    """Replace the file in one step, keeping its mode and owner, with a copy of the old one beside it. Raises NotOurs."""
    if not plan.changes:
        return Written(plan.path, None)
    target = plan.path.resolve()  # a link into someone's dotfiles stays a link
    _demand_unchanged(plan)
    try:
        return _applied(plan, target, now)
    except OSError as error:
        raise NotOurs(f"{plan.path} cannot be written ({error.strerror}); nothing in it was changed.") from error


def _demand_unchanged(plan: Plan) -> None:
    if _read(plan.path) != plan.before:
        raise NotOurs(f"{plan.path} has just been changed by another program; run the command again.")


def _applied(plan: Plan, target: Path, now: datetime) -> Written:
    target.parent.mkdir(parents=True, exist_ok=True)
    backup = None
    if plan.before is not None and not plan.spent and plan.after is not None:
        backup = _back_up(target, plan.after, now)
    if plan.after is None:
        target.unlink()
    else:
        replace_file(target, plan.after, lambda: _demand_unchanged(plan))
    for old in plan.spent:
        old.unlink(missing_ok=True)
    return Written(plan.path, backup)


def _servers(text: str | None, where: Place, by_hand: str) -> dict[str, Any]:
    content = _content(text, where, by_hand)
    servers = content.get(where.key)
    if servers is not None and not isinstance(servers, dict):
        raise NotOurs(
            f"{where.path}: {where.key!r} does not hold servers by name; repair it first. Nothing was changed."
        )
    return dict(servers or {})


def _content(text: str | None, where: Place, by_hand: str) -> dict[str, Any]:
    try:
        return _TEXTS[where.format].read(text or "")
    except ValueError as error:
        raise NotOurs(f"{where.path} cannot be understood ({error}): {by_hand}. Nothing was changed.") from error


def _edited(before: str | None, where: Place, servers: dict[str, Any], by_hand: str) -> str:
    """The text with these servers, read back before anybody relies on it."""
    text, form = before or "", _TEXTS[where.format]
    try:
        ours = NAME in servers
        after = form.put(text, where.key, NAME, servers[NAME]) if ours else form.take(text, where.key, NAME)
    except ValueError as error:
        raise NotOurs(f"{where.path}: {error}: {by_hand}. Nothing was changed.") from error
    wanted, found = _content(text, where, by_hand), _content(after, where, by_hand)
    if {**found, where.key: found.get(where.key) or {}} != {**wanted, where.key: servers}:
        raise NotOurs(f"{where.path} is written in a way that would not survive it: {by_hand}. Nothing was changed.")
    return after


def _demand_ours(servers: Mapping[str, Any], where: Place, verb: str, *, force: bool) -> None:
    if not force and NAME in servers and not is_ours(servers[NAME]):
        raise NotOurs(
            f"{where.path} has a server called {NAME!r} that is not this program ({json.dumps(servers[NAME])[:200]}); "
            f"nothing was changed. --force would {verb} it."
        )


def _is_bare(text: str, where: Place, by_hand: str) -> bool:
    """Nothing is left but what an empty file would have been given: then there was none."""
    return not _content(text, where, by_hand).get(where.key) and "".join(text.split()) in (
        "",
        "{}",
        f'{{"{where.key}":{{}}}}',
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")  # not as text: line ends stay what they are
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise NotOurs(f"{path} cannot be read ({error}); nothing was changed.") from error


# --- what it was before ------------------------------------------------------------------------------------------------


def _back_up(target: Path, after: str, now: datetime) -> Path:
    """A copy that says by its name which text came after it, so that it is only ever put back in that one's place."""
    backup = target.with_name(f"{target.name}.sandgate-{now:%Y%m%d-%H%M%S-%f}-{_digest(after)}.bak")
    shutil.copy2(target, backup)
    return backup


def _restored(where: Place, text: str, by_hand: str) -> tuple[tuple[Path, ...], str | None]:
    """The backups that lead from this text towards one without us, and that one; None where they end before it."""
    target, spent = where.path.resolve(), list[Path]()
    while NAME in _servers(text, where, by_hand):
        found = sorted(target.parent.glob(f"{_escaped(target.name)}.sandgate-*-{_digest(text)}.bak"))
        if not found or found[-1] in spent or (old := _read(found[-1])) is None:
            return tuple(spent), None
        spent.append(found[-1])
        text = old
    return tuple(spent), text


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def replace_file(target: Path, text: str, last_look: Callable[[], None] = lambda: None) -> None:
    """In one step. last_look: at what is replaced, once all that takes time is done; what it raises keeps that."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(text.encode())
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileNotFoundError):  # a new file keeps mkstemp's 0600: it may come to hold tokens
            old = target.stat()
            Path(name).chmod(stat.S_IMODE(old.st_mode))
            if os.geteuid() == 0:
                os.chown(name, old.st_uid, old.st_gid)
        last_look()
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
