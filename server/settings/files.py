"""Where settings come from: files and variables, merged into one, the strongest last."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from server.looks import Looks, looks
from server.runtime_folder import runtime_folder
from server.settings import ceiling
from server.settings.settings import ENVIRON, HOME, BadSettings, Settings
from server.settings.wrong import sentences

SYSTEM = Path("/etc/sandgate/sandgate.toml")
MANAGED = Path("/etc/sandgate/managed.toml")
PREFIX = "SANDGATE_"
TOP_LEVEL = ("state_dir", "runtime_dir", "results", "tools", "environment")  # what has a variable of its own


def _is_managed() -> bool:
    return MANAGED.exists()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a server's settings came from, so that it can read them again."""

    config: Path | None
    overrides: Mapping[str, Any]
    was_managed: bool = field(default_factory=_is_managed)
    at_first: Looks = field(init=False)  # how its files look before any is read

    def __post_init__(self) -> None:
        object.__setattr__(self, "at_first", looks(self.files))

    def read(self) -> "Settings":
        """Raises BadSettings, also where the managed file that held when the server started is gone."""
        if self.was_managed and not _is_managed():
            raise BadSettings(f"{MANAGED} is gone, and what it said holds until this server is started again")
        return load(self.config, self.overrides)

    @property
    def files(self) -> tuple[Path, ...]:
        return settings_files(self.config)


def user_file(environ: Mapping[str, str] = ENVIRON, home: Path = HOME) -> Path:
    """The user's own settings, where `sandgate allow` adds its lines."""
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "sandgate" / "sandgate.toml"


def settings_files(
    config: Path | None = None, environ: Mapping[str, str] = ENVIRON, home: Path = HOME
) -> tuple[Path, ...]:
    """Every file that the settings come from, weakest first, there or not."""
    named = config or (Path(environ["SANDGATE_CONFIG"]) if environ.get("SANDGATE_CONFIG") else None)
    return (SYSTEM, user_file(environ, home), *([named] if named else []), MANAGED)


def default_state(environ: Mapping[str, str] = ENVIRON, home: Path = HOME) -> Path:
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "sandgate"


def default_runtime(environ: Mapping[str, str] = ENVIRON) -> Path:
    """A folder for sockets, short because the kernel allows 107 bytes for their paths."""
    uid = os.geteuid()
    if uid == 0:
        return Path("/run/sandgate")
    return (runtime_folder(environ, uid) or Path(f"/tmp/sandgate-{uid}")) / "sandgate"  # noqa: S108 - 0700, owner checked


def load(
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = ENVIRON,
    home: Path = HOME,
) -> Settings:
    """The settings in force. Raises BadSettings with a sentence for all that is wrong, which names the file and the key."""
    *files, managed = settings_files(config, environ, home)
    named = config or environ.get("SANDGATE_CONFIG")
    if named and not Path(named).is_file():
        raise BadSettings(f"{named} is not a file; give --config the path of a sandgate.toml")
    merged: dict[str, Any] = {"state_dir": default_state(environ, home), "runtime_dir": default_runtime(environ)}
    documents, wrong = list[dict[str, Any]](), list[str]()
    for read in (*(partial(_read, path) for path in files), partial(_variables, environ)):
        try:
            documents.append(read())
        except BadSettings as exc:
            wrong.append(str(exc))
    if wrong:
        raise BadSettings("\n".join(wrong))
    for document in documents[:-1]:
        merged = _merge(merged, document, join=True)
    merged = _merge(merged, documents[-1])
    merged = _merge(merged, dict(overrides or {}))
    asked = checked(merged, "the settings")
    return _under(managed, asked) or asked


def _under(managed: Path, asked: Settings) -> Settings | None:
    """What of these is within the managed file. None where there is none."""
    try:
        raw = ceiling.read(managed)
        if raw is None:
            return None
        top = checked(_parsed(managed, raw), str(managed))
        held = ceiling.under(top.model_dump(exclude_unset=True), asked.model_dump(exclude_unset=True))
    except ceiling.NotACeiling as exc:
        raise BadSettings(str(exc)) from exc
    return checked(held, "the settings")


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise BadSettings(f"{path} cannot be read: {exc}") from exc
    document = _parsed(path, raw)
    checked(document, str(path))  # so that a bad key is blamed on the file it is in
    return document


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        return _environments_apart(tomllib.loads(raw.decode()))
    except ValueError as exc:  # not UTF-8, or not TOML
        raise BadSettings(f"{path} cannot be read: {exc}") from exc


def _environments_apart(document: dict[str, Any]) -> dict[str, Any]:
    """[environment.NAME] is read as [environments.NAME]. TOML has no place for `environment = "NAME"` beside it, so there
    `environment.default` chooses."""
    told = document.get("environment")
    if not isinstance(told, dict):
        return document
    tables = {name: table for name, table in told.items() if name != "default"}
    chosen = {"environment": told["default"]} if "default" in told else {}
    rest = {name: value for name, value in document.items() if name != "environment"}
    return {**rest, **chosen, "environments": tables}


def _variables(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in TOP_LEVEL:
        if text := environ.get(PREFIX + name.upper()):
            found[name] = tuple(text.split(",")) if name == "tools" else text
    if profile := environ.get(PREFIX + "PROFILE"):
        found["policy"] = {"profile": profile}
    checked(found, f"the variables {PREFIX}*")
    return found


def _merge(below: dict[str, Any], above: Mapping[str, Any], *, join: bool = False) -> dict[str, Any]:
    """Tables are merged key by key; a value above replaces the one below, or with `join` a list of a table goes on it.

    So a user's list adds to the system's. What a managed file does to all of it: server/settings/ceiling.py.
    """
    merged = dict(below)
    for name, value in above.items():
        inner = merged.get(name)
        if isinstance(inner, dict) and isinstance(value, Mapping):
            merged[name] = {**_merge(inner, value), **(_joined(inner, value) if join else {})}
        else:
            merged[name] = value
    return merged


def _joined(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, list[Any]]:
    shared = {name: (below[name], above[name]) for name in below.keys() & above.keys()}
    lists = {name: pair for name, pair in shared.items() if all(isinstance(value, list) for value in pair)}
    return {name: [*low, *(value for value in high if value not in low)] for name, (low, high) in lists.items()}


def checked(document: Mapping[str, Any], source: str) -> Settings:
    """Raises BadSettings with a sentence, and a line, for each key that is wrong."""
    try:
        return Settings.model_validate(document)
    except ValidationError as exc:
        raise BadSettings("\n".join(sentences(exc, Settings, source))) from exc
