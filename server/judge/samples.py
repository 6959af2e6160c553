"""Questions with known answers. They lie beside the rule they speak of, and are asked before a policy is used."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_COMMAND = {
    "path_kind": "bare", "assigns": [], "redirects": [], "cwd": "/workspace", "via": [], "span": [0, 0],
    "other_cwds": [], "elsewhere": False,
}  # fmt: skip
_SCRIPT: dict[str, Any] = {
    "functions": [], "aliases": [], "inline_code": [], "pipe_to_shell": [], "hosts": [], "latent_arithmetic": False,
    "control_chars": False, "parse_error": None,
}  # fmt: skip
_INPUT: dict[str, Any] = {
    "version": 1, "caller": {"id": "local", "roles": []}, "tool": "shell",
    "session": {"name": "default", "environment": "python", "home": "/home/agent", "workspaces": ["/workspace"]}, "call": {"command": ""}, "commands": [], "paths": [],
}  # fmt: skip
_KEYS = {"title", "effect", "settings", "commands", "script", *_INPUT}


@dataclass(frozen=True, slots=True)
class Sample:
    """`question` is a whole `input`. `rule` must be among the rules of its answer where it is `denied`, else not."""

    rule: str
    title: str
    denied: bool
    effect: str
    question: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)


def samples(folder: Path) -> Iterator[Sample]:
    """All samples of a bundle. Raises OSError and ValueError."""
    for path in sorted((folder / "rules").glob("*/*/*.json")):
        if path.stem not in {"allowed", "denied"}:
            raise ValueError(f"{path.name} is neither allowed.json nor denied.json")
        rule = f"{path.parent.parent.name}.{path.parent.name}"
        entries = json.loads(path.read_bytes())
        if not isinstance(entries, list) or not entries:
            raise ValueError(f"{path.name} of {rule} is not a list of samples")
        for entry in entries:
            yield _sample(rule, path.stem == "denied", entry)


def _sample(rule: str, denied: bool, entry: Any) -> Sample:  # noqa: FBT001  # which of the two files it is in
    if not isinstance(entry, dict) or not {"title"} <= entry.keys() <= _KEYS:
        raise ValueError(f"a sample of {rule} has other keys than {', '.join(sorted(_KEYS))}")
    effect = entry.get("effect", "deny" if denied else "allow")
    return Sample(rule, entry["title"], denied, effect, whole(entry), entry.get("settings", {}))


def whole(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A question from the parts that matter to it; what is left out is an ordinary question's."""
    question = {key: entry.get(key, value) for key, value in _INPUT.items()}
    question["commands"] = [_command(given) for given in question["commands"]]
    question["script"] = _SCRIPT | entry.get("script", {})
    return question


def _command(given: Mapping[str, Any]) -> dict[str, Any]:
    argv = given["argv"]
    name = argv[0].rpartition("/")[2] if argv and argv[0] is not None else None
    plain = {"argv": argv, "name": name, "dynamic": ["" if word is not None else "param" for word in argv]}
    return {**_COMMAND, "known": ["" for _ in argv], **plain, **given}
