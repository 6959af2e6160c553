"""The operator's policy settings, checked and keyed for Rego: what lies under data.sandgate_config."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from server.judge.host_patterns import host_pattern

_KEYS = {"profile", "allow", "ask", "deny", "paths", "execute", "hosts", "egress", "limits"}
_PROFILES = ("open", "standard", "strict")
_OPS = {"read", "write", "delete", "list"}
_LIMITS = {"timeout_s", "output_bytes"}
_SPECIAL = re.compile(r"[*?\[{\\]")  # what stands before it in a glob is literal, and cheap to compare
# Sub-commands by the other names that their programs take for them.
_ALIASES = {
    "bun add": "a",
    "bun install": "i",
    "bun remove": "rm r",
    "cargo build": "b",
    "cargo remove": "rm",
    "cargo run": "r",
    "cargo test": "t",
    "npm ci": "clean-install ic install-clean isntall-clean",
    "npm exec": "x",
    "npm install": "i in ins inst insta instal isnt isnta isntal isntall add",
    "npm publish": "pu pub publ publi publis",
    "npm run": "run-script rum urn",
    "npm test": "t tst",
    "npm uninstall": "un unlink remove rm r",
    "npm update": "up upgrade udpate",
    "pnpm install": "i",
    "pnpm remove": "rm uninstall un",
    "pnpm run": "run-script",
}
_PROGRAM = re.compile(r"[A-Za-z0-9_.+\[-][A-Za-z0-9_.+-]*")


class SettingsError(Exception):
    """A policy setting is wrong; the text is one sentence that names it."""


def rego_settings(settings: Mapping[str, Any], revision: str) -> dict[str, Any]:
    """The document for data.sandgate_config. Command lists become one table, keyed by program. Raises SettingsError."""
    _known(settings, _KEYS, "policy")
    profile = settings.get("profile", "standard")
    if profile not in _PROFILES:
        raise SettingsError(f"policy.profile is {profile!r}, not one of {', '.join(_PROFILES)}")
    document: dict[str, Any] = {"profile": profile, "revision": revision, "commands": _commands(settings)}
    document["paths"] = [rule for entry in _list(settings, "paths") for rule in _path_rules(entry)]
    document["execute"] = [_absolute(path, "execute") for path in _list(settings, "execute", ("/",))]
    document["hosts"] = [_text(host, "hosts").lower() for host in _list(settings, "hosts")]
    document["egress"] = [_host(entry) for entry in _list(settings, "egress")]
    document["limits"] = _limits(settings.get("limits", {}))
    return document


def _commands(settings: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    table: dict[str, list[dict[str, Any]]] = {}
    for effect in ("allow", "ask", "deny"):
        for entry in _list(settings, effect):
            given = entry if isinstance(entry, Mapping) else {"command": entry}
            _known(given, {"command", "role", "environment"}, f"policy.{effect}")
            name, *words = _text(given.get("command"), effect).split() or [""]
            if not _PROGRAM.fullmatch(name):
                raise SettingsError(f"policy.{effect} has {given.get('command')!r}, which names no program")
            for each in _spellings(name, words):
                table.setdefault(name, []).append({"effect": effect, "words": each, **_scope(given)})
    return table


def _spellings(name: str, words: list[str]) -> list[list[str]]:
    """A sub-command under each name that its program has for it: npm install is npm i."""
    others = _ALIASES.get(f"{name} {words[0]}", "").split() if words else []
    return [words, *([other, *words[1:]] for other in others)]


def _host(entry: Any) -> dict[str, Any]:
    try:
        return host_pattern(entry)
    except ValueError as exc:
        raise SettingsError(str(exc)) from None


def _path_rules(entry: Any) -> list[dict[str, Any]]:
    """One rule for each glob that the entry means: /w/** matches what is in /w, and /w is meant too."""
    if not isinstance(entry, Mapping):
        raise SettingsError(f"policy.paths has {entry!r}, which is no table")
    _known(entry, {"glob", "ops", "effect", "role", "environment"}, "policy.paths")
    glob = _glob(_text(entry.get("glob"), "paths"))
    ops = entry.get("ops", sorted(_OPS))
    if not isinstance(ops, Sequence) or isinstance(ops, str) or not set(ops) <= _OPS:
        raise SettingsError(f"policy.paths: ops of {glob} are not among {', '.join(sorted(_OPS))}")
    if entry.get("effect") not in ("allow", "ask", "deny"):
        raise SettingsError(f"policy.paths: effect of {glob} is not allow, ask or deny")
    globs = [glob, glob.removesuffix("/**")] if glob.endswith("/**") and glob != "/**" else [glob]
    rule = {"ops": list(ops), "effect": entry["effect"], **_scope(entry)}
    return [{"glob": each, "prefix": _SPECIAL.split(each)[0], **rule} for each in globs]


def _glob(glob: str) -> str:
    """Engines differ on globs that do not close, on `[^a]`, and on non-ASCII; those are refused."""
    if not glob.startswith("/") or not glob.isascii():
        raise SettingsError(f"policy.paths: glob {glob!r} is not an absolute ASCII path")
    bare = re.sub(r"\\.|\[!?[^\]\[^]+\]", "", glob)
    while (shorter := re.sub(r"\{[^{}]*\}", "", bare)) != bare:
        bare = shorter
    if re.search(r"[][{}\\]", bare):
        raise SettingsError(f"policy.paths: glob {glob!r} has a bracket or brace that does not close")
    return glob


def _scope(entry: Mapping[str, Any]) -> dict[str, str]:
    return {key: _text(entry[key], key) for key in ("role", "environment") if entry.get(key) is not None}


def _limits(limits: Any) -> dict[str, Any]:
    if not isinstance(limits, Mapping):
        raise SettingsError("policy.limits is no table")
    _known(limits, _LIMITS, "policy.limits")
    for key, value in limits.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise SettingsError(f"policy.limits.{key} is {value!r}, not a positive number")
    return {key: limits.get(key) for key in sorted(_LIMITS)}


def _known(settings: Mapping[str, Any], keys: set[str], where: str) -> None:
    if unknown := sorted(set(settings) - keys):
        raise SettingsError(f"{where}.{unknown[0]} is not a setting; known are {', '.join(sorted(keys))}")


def _list(settings: Mapping[str, Any], key: str, default: Sequence[Any] = ()) -> Sequence[Any]:
    found = settings.get(key, default)
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise SettingsError(f"policy.{key} is no list")
    return found


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"policy.{key} has {value!r}, which is no text")
    return value


def _absolute(path: Any, key: str) -> str:
    if not _text(path, key).startswith("/") or ".." in path.split("/"):
        raise SettingsError(f"policy.{key} has {path!r}, which is no absolute path")
    return str(path).rstrip("/") or "/"
