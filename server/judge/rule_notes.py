"""What each rule says of itself in its METADATA: title, description, and what holds it below the words."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

type HeldBy = Literal["words", "kernel", "mount", "gate", "container"]

# What a reader should know about each, besides that the rule refuses the call.
MEANING: dict[str, str] = {
    "words": "only these words: a script that does the same is not seen",
    "kernel": "the kernel too (Landlock or seccomp): it also binds scripts and programs that no parser saw",
    "mount": "the sandbox's mounts too: they are read-only, or root's",
    "gate": "the egress gate too: nothing leaves a sandbox but to allowed hosts",
    "container": "the container too: no capability, no root, no device",
}
_FIELD = re.compile(r"^# (title|description): (.*)$|^#   held_by: (\w+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RuleNotes:
    """`file` is the rule's module."""

    id: str
    title: str
    held_by: str
    file: Path


def rule_notes(folder: Path) -> dict[str, RuleNotes]:
    """The notes of all rules of a bundle, by rule id. Raises OSError, and ValueError for a rule that lacks some."""
    found = {}
    for path in sorted((folder / "rules").glob("*/*/*.rego")):
        if not path.name.endswith("_test.rego"):
            notes = _read(path)
            found[notes.id] = notes
    return found


def _read(path: Path) -> RuleNotes:
    head = path.read_text().partition("\npackage ")[0]
    fields = {found[1] or "held_by": found[2] or found[3] for found in _FIELD.finditer(head)}
    if fields.get("held_by") not in get_args(HeldBy.__value__):
        raise ValueError(f"{path}: METADATA has no custom.held_by of {', '.join(get_args(HeldBy.__value__))}")
    return RuleNotes(f"{path.parent.parent.name}.{path.parent.name}", fields["title"], fields["held_by"], path)
