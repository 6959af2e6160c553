"""What the policy is asked: one frozen value, versioned, and the JSON that Rego sees as `input`.

The value that is judged is the value that runs (promise 4), so it holds the exact act, not a description of it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Literal

from policy.command import Reading

VERSION = 1

type Op = Literal["read", "write", "delete", "list"]
type Area = Literal["workspace", "tmp", "home", "system", "proc", "gate"]


@dataclass(frozen=True, slots=True)
class CallerFacts:
    id: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """Which session, and where in it a person's work lies: absolute paths, as the sandbox sees them."""

    name: str
    environment: str
    home: str = "/home/agent"
    workspaces: tuple[str, ...] = ("/workspace",)


@dataclass(frozen=True, slots=True)
class PathUse:
    """One path a call uses: as it was asked for, absolute and normalised, what for, and the area it lies in."""

    asked: str
    resolved: str
    op: Op
    area: Area


@dataclass(frozen=True, slots=True)
class RunCommand:
    """A command to run: exactly this argv, no other shell in between."""

    argv: tuple[str, ...]
    cwd: str
    stdin: bytes
    timeout_s: float
    background: bool


@dataclass(frozen=True, slots=True)
class UseFile:
    """A file operation; arguments beyond the path are the tool's own."""

    op: Op
    path: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UseSession:
    """Opening, listing or closing a session, or looking at its jobs."""

    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UseHost:
    """A request that a sandbox sends: to a host and port, and what it asks for there (path without its query).

    Without a method it is about any request to that host and port.
    """

    host: str
    port: int
    method: str = ""
    path: str = ""


type Act = RunCommand | UseFile | UseSession | UseHost


@dataclass(frozen=True, slots=True)
class Question:
    caller: CallerFacts
    tool: str
    session: SessionFacts
    act: Act
    call: Mapping[str, Any]  # the arguments as the client sent them, secrets masked
    reading: Reading = field(default_factory=Reading)
    paths: tuple[PathUse, ...] = ()

    def as_json(self) -> str:
        """The document Rego sees as `input`; shapes are those of the dataclasses, tuples as arrays. Raises TypeError,
        ValueError or RecursionError where the arguments are no JSON."""
        egress = {"egress": self.act} if isinstance(self.act, UseHost) else {}
        return json.dumps({**self._seen(), **egress}, ensure_ascii=False, default=_fields)

    def as_input(self) -> dict[str, Any]:
        """The same, read back."""
        return dict(json.loads(self.as_json()))

    def digest(self) -> str:
        """sha256 over everything that was judged; an approval is bound to it."""
        document = {"input": self._seen(), "act": self.act}
        return hashlib.sha256(json.dumps(document, sort_keys=True, default=_fields_or_bytes).encode()).hexdigest()

    def _seen(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "caller": self.caller,
            "tool": self.tool,
            "session": self.session,
            "call": dict(self.call),
            "commands": self.reading.commands,
            "script": self.reading.script,
            "paths": self.paths,
        }


def _fields(value: Any) -> Any:
    """What JSON has no word for, without the copies that asdict makes: every call is judged and digested."""
    if not is_dataclass(value):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return {name: getattr(value, name) for name in value.__slots__}  # type: ignore[union-attr]  # ours have them


def _fields_or_bytes(value: Any) -> Any:
    return value.decode("latin1") if isinstance(value, bytes) else _fields(value)
