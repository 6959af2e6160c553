"""`sandgate install CLIENT`: one entry in a client's file, everything else in it left as it was."""

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from server.ops.clients import NAME, Client, Place, entry, place

_INDENT: Final = re.compile(r"^([ \t]+)\S", re.MULTILINE)


class NotOurs(Exception):
    """The client's file cannot be changed without risking what is in it; the sentence says what to do by hand."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file holds now (None: there is none) and what it would hold."""

    path: Path
    before: str | None
    after: str

    @property
    def changes(self) -> bool:
        return (self.before or "") != self.after


@dataclass(frozen=True, slots=True)
class Written:
    path: Path
    backup: Path | None


def plan_install(
    client: Client,
    program: Path,
    *,
    environ: Mapping[str, str],
    home: Path,
    platform: str,
    extra: tuple[str, ...] = (),
    project: Path | None = None,
) -> Plan:
    """`program` is the console script; `extra` follows `serve --stdio`. Nothing is written: `apply` does that."""
    where = place(client, environ, home, platform, project)
    ours = entry(where, program, extra, environ)
    return _plan(where, ours)


def plan_uninstall(
    client: Client, *, environ: Mapping[str, str], home: Path, platform: str, project: Path | None = None
) -> Plan:
    return _plan(place(client, environ, home, platform, project), None)


def apply(plan: Plan, now: datetime) -> Written:
    """Replace the file in one step, keeping its mode and owner, with a copy of the old one beside it."""
    if not plan.changes:
        return Written(plan.path, None)
    target = plan.path.resolve()  # a link into someone's dotfiles stays a link
    if _read(plan.path) != plan.before:
        raise NotOurs(f"{plan.path} has just been changed by another program; run the command again.")
    target.parent.mkdir(parents=True, exist_ok=True)
    backup = _back_up(target, now) if plan.before is not None else None
    replace_file(target, plan.after)
    return Written(plan.path, backup)


def _plan(where: Place, ours: dict[str, object] | None) -> Plan:
    before = _read(where.path)
    content = _parse(before, where, ours)
    servers = content.get(where.key, {})
    if not isinstance(servers, dict):
        raise NotOurs(f"{where.path}: {where.key!r} is not an object of servers; repair it first. Nothing was changed.")
    if ours is None and NAME not in servers:
        return Plan(where.path, before, before or "")
    changed = {**servers, NAME: ours} if ours is not None else {k: v for k, v in servers.items() if k != NAME}
    if changed == servers:
        return Plan(where.path, before, before or "")
    return Plan(where.path, before, _text({**content, where.key: changed}, before))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise NotOurs(f"{path} cannot be read ({error}); nothing was changed.") from error


def _parse(text: str | None, where: Place, ours: dict[str, object] | None) -> dict[str, Any]:
    if text is None or not text.strip():
        return {}
    try:
        content = json.loads(text, object_pairs_hook=_without_doubles)
    except ValueError as error:
        by_hand = f"add {json.dumps({NAME: ours})} to" if ours else f"remove {NAME!r} from"
        raise NotOurs(
            f"{where.path} is not plain JSON ({error}), perhaps it has comments, which would be lost: "
            f"{by_hand} {where.key!r} by hand. Nothing was changed."
        ) from error
    if not isinstance(content, dict):
        raise NotOurs(f"{where.path} does not hold a JSON object; nothing was changed.")
    return content


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return made


def _text(content: dict[str, Any], before: str | None) -> str:
    indent = _INDENT.search(before or "")
    made = json.dumps(content, indent=indent[1] if indent else 2, ensure_ascii=False)
    return made + ("\n" if not before or before.endswith("\n") else "")


def _back_up(target: Path, now: datetime) -> Path:
    backup = target.with_name(f"{target.name}.sandgate-{now:%Y%m%d-%H%M%S-%f}.bak")  # never over an older one
    shutil.copy2(target, backup)
    return backup


def replace_file(target: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileNotFoundError):  # a new file keeps mkstemp's 0600: it may come to hold tokens
            old = target.stat()
            Path(name).chmod(stat.S_IMODE(old.st_mode))
            if os.geteuid() == 0:
                os.chown(name, old.st_uid, old.st_gid)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
