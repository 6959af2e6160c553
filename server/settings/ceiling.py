"""/etc/sandgate/managed.toml: what nobody else can widen, whichever file, variable or flag they write.

What it names is its own, or the stricter of the two where one can tell; what it does not name is the user's, but for what
would change the meaning of what it does name.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from server.settings.anomalies import AnomalySettings

type Document = Mapping[str, Any]
type Rule = Callable[[Any, Any], Any]  # the ceiling's value, the other's -> what holds

PROFILES: Final = ("open", "standard", "strict")
_WIDER: Final = {"ro": 0, "copy": 0, "rw": 1}  # what a mode lets a session do to the host's folder
_EFFECTS: Final = ("record", "ask", "freeze")
_ANOMALIES: Final = tuple(AnomalySettings.model_fields)
LARGEST: Final = 1 << 20  # bytes of the file


class NotACeiling(Exception):
    """The managed file cannot be trusted, or what somebody asks for is beyond it."""


# --- the file ----------------------------------------------------------------------------------------------------------


def read(path: Path) -> bytes | None:
    """None where there is no managed file. Raises NotACeiling where it is not what only its owner could have written: to
    pass it over then would be to let anybody lift it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        if path.is_symlink():
            raise NotACeiling(f"{path} is a symbolic link; put the file itself there") from None
        return None
    except OSError as exc:
        said = (
            "is a symbolic link; put the file itself there" if path.is_symlink() else f"cannot be read: {exc.strerror}"
        )
        raise NotACeiling(f"{path} {said}") from exc
    try:
        _demand_trust(path, os.fstat(file), path.parent.stat())
        return os.read(file, LARGEST)
    finally:
        os.close(file)


def _demand_trust(path: Path, info: os.stat_result, folder: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise NotACeiling(f"{path} is not a file")
    if info.st_size > LARGEST:
        raise NotACeiling(f"{path} has more than {LARGEST} bytes")
    if info.st_uid not in (0, folder.st_uid):
        raise NotACeiling(f"{path} belongs to user {info.st_uid}, who could lift it; give it to root")
    for what, mode in ((path, info.st_mode), (path.parent, folder.st_mode)):
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise NotACeiling(f"{what} can be written by others, who could lift the ceiling: chmod go-w {what}")


# --- what holds --------------------------------------------------------------------------------------------------------


def under(ceiling: Document, asked: Document) -> dict[str, Any]:
    """What holds of `asked`, both as tables of settings with only what somebody wrote. Raises NotACeiling for what can only
    be refused."""
    if _at(ceiling, "policy.paths") is None and any(_at(ceiling, f"policy.{name}") for name in ("profile", "ask")):
        ceiling = {
            **ceiling,
            "policy": {**ceiling["policy"], "paths": ()},
        }  # else paths of others would answer its asks
    held = _combined("", ceiling, _without_what_turns_it(ceiling, asked))
    _check_images(ceiling, held)
    return held


def _combined(above: str, ceiling: Document, asked: Document) -> dict[str, Any]:
    held = dict(asked)
    for name, top in ceiling.items():
        key = f"{above}{name}"
        if name not in asked:
            held[name] = top
        elif (rule := _rule(key)) is not None:
            held[name] = rule(top, asked[name])
        elif isinstance(top, Mapping) and isinstance(asked[name], Mapping) and key not in WHOLE:
            held[name] = _combined(f"{key}.", top, asked[name])
        else:
            held[name] = top
    return held


def _rule(key: str) -> Rule | None:
    numbers = key.startswith("limits.") and key != "limits.tools" and key.count(".") in (1, 3)
    return RULES.get(key, min if numbers else None)


def _bounded(top: float, told: float) -> float:
    """Of two bounds of which 0 is none."""
    return min(top or told, told or top)


def _longest(top: float, told: float) -> float:
    """Of two times for which something is kept; 0 is for ever."""
    return max(top, told) if top and told else 0


def _strictest(top: str, told: str) -> str:
    return max(top, told, key=PROFILES.index)


def _hardest(top: str, told: str) -> str:
    return max(top, told, key=_EFFECTS.index)


def _together(top: Any, told: Any) -> tuple[Any, ...]:
    return (*top, *(value for value in told if value not in top))


def _no_allowing(top: Any, told: Any) -> tuple[Any, ...]:
    """Path rules of others may ask and deny."""
    return _together(top, [rule for rule in told if rule["effect"] != "allow"])


def _both(top: Any, told: Any) -> tuple[Any, ...]:
    shared = tuple(group for group in told if group in top)
    if not shared:
        raise NotACeiling(
            f"of the tools {', '.join(told)} the managed settings offer none; they offer {', '.join(top)}"
        )
    return shared


def _by_name(top: Any, told: Any) -> tuple[Any, ...]:
    names = {one["name"] for one in top}
    return (*top, *(one for one in told if one["name"] not in names))


def _enforced(top: str, told: str) -> str:
    if top == "enforce" and told == "learn":
        raise NotACeiling("egress.mode = learn would let everything out; the managed settings enforce their list")
    return top


def _within(top: Any, told: Any) -> Any:
    """Folders of others lie in those of the ceiling, and no session may do more to them."""
    for space in told:
        path = Path(os.path.realpath(space["path"]))
        if not any(_holds(root, path, space.get("mode", "copy")) for root in top):
            allowed = ", ".join(f"{root['path']}:{root.get('mode', 'copy')}" for root in top) or "none"
            raise NotACeiling(
                f"the workspace {space['path']}:{space.get('mode', 'copy')} is beyond the managed settings, "
                f"which allow {allowed}"
            )
    return told or top


def _holds(root: Mapping[str, Any], path: Path, mode: str) -> bool:
    return path.is_relative_to(os.path.realpath(root["path"])) and _WIDER[mode] <= _WIDER[root.get("mode", "copy")]


RULES: Final[Mapping[str, Rule]] = {
    "tools": _both,
    "workspace": _within,
    "allow_root_owned": lambda top, told: top and told,
    "policy.profile": _strictest,
    "policy.ask": _together,
    "policy.deny": _together,
    "policy.paths": _no_allowing,
    "policy.custom": _together,  # rules of one's own only make it stricter
    "egress.mode": _enforced,
    **{f"egress.{name}": min for name in ("connections", "tls_per_second", "hold_s", "held")},
    **{f"egress.{name}": _bounded for name in ("upload_mb", "download_mb")},
    **{f"sandbox.{name}": min for name in ("cpus", "memory_mb", "disk_mb", "pids", "open_files", "grace_s")},
    **{f"sandbox.{name}": min for name in ("idle", "most_idle", "made_at_once")},
    **{f"sandbox.{name}": _bounded for name in ("freeze_after_s", "park_after_s", "keep_parked_s")},
    **{f"sandbox.{name}": _bounded for name in ("keep_snapshots_s", "keep_prepared_s")},
    "sandbox.require_landlock": lambda top, told: top or told,
    "approvals.pending_s": min,
    **{f"anomalies.{name}.count": _bounded for name in _ANOMALIES},
    **{f"anomalies.{name}.effect": _hardest for name in _ANOMALIES},
    "audit.fsync": lambda top, told: "always" if "always" in (top, told) else top,
    "audit.keep_files": _longest,
    "audit.mask": _together,
    "audit.export": _by_name,
    "audit.head_every_s": _bounded,
    **{f"http.{name}": min for name in ("body_mb", "upload_mb", "download_mb")},
}
WHOLE: Final = frozenset({"environments", "sandbox.images", "egress.resolve", "http.jwt"})  # never in parts

_OPA: Final = tuple(f"policy.opa_{name}" for name in ("url", "ca", "cert", "token_file"))
_REACH: Final = (*(f"egress.{name}" for name in ("mode", "networks", "resolve", "upstream_ca", "proxy", "gate")), *_OPA)

# What of others would change the meaning of what the ceiling names: where it names the first, it alone says the others.
TURNS: Final[Mapping[str, tuple[str, ...]]] = {
    "policy": _OPA,
    "policy.profile": ("policy.allow",),
    "policy.ask": ("policy.allow",),
    "egress.allow": ("egress.ask", *_REACH),
    "egress.ask": ("egress.allow", *_REACH),
    "environments": ("sandbox.images",),
    "audit.keep_files": ("audit.rotate_mb", "audit.rotate_days"),  # many small files are no long time
    **{f"anomalies.{name}": (f"anomalies.{name}.window_s",) for name in _ANOMALIES},
    "http.tokens": ("http.jwt",),
    "http.jwt": ("http.tokens",),
}


def _turns(ceiling: Document) -> Iterator[tuple[str, str]]:
    """What the ceiling may name, and what then is not another's to say."""
    yield from ((key, other) for key, others in TURNS.items() for other in others)
    for table in ("limits", *(f"limits.tools.{tool}" for tool in _at(ceiling, "limits.tools") or ())):
        rate, burst = f"{table}.calls_per_second", f"{table}.burst"  # neither bounds anything without the other
        yield from ((rate, burst), (burst, rate))


def _without_what_turns_it(ceiling: Document, asked: Document) -> Document:
    for key, other in _turns(ceiling):
        if _at(ceiling, key) is None or _at(asked, other) is None or _at(ceiling, other) is not None:
            continue
        if other == "egress.mode":
            _enforced("enforce", _at(asked, other))
        asked = _less(asked, other)
    return asked


def _at(document: Document, key: str) -> Any:
    found: Any = document
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _less(document: Document, key: str) -> dict[str, Any]:
    name, _, rest = key.partition(".")
    left = {other: value for other, value in document.items() if other != name}
    return {**left, name: _less(document[name], rest)} if rest else left


def _check_images(ceiling: Document, held: Document) -> None:
    """Where the ceiling lists images, environments are made of those."""
    listed = _at(ceiling, "sandbox.images")
    for name, table in (held.get("environments") or {}).items() if listed is not None else ():
        image = table.get("image") or name
        if image not in listed and image not in listed.values() and name not in (ceiling.get("environments") or {}):
            raise NotACeiling(
                f"environments.{name} is made of {image}, which the managed settings do not list; they list "
                f"{', '.join(listed)}"
            )
