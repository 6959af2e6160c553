"""Origins, a gate, and sessions at it: what the tests of the gate share."""

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.egress.world.certificates import FakeAuthority
from tests.egress.world.gate import ROOT, Gate
from tests.egress.world.origin import Origin
from tests.egress.world.sandbox import Sandbox
from tests.folders import short_folder

NAMES = ("allowed.test", "*.allowed.test", "denied.test", "other.test", "xn--bcher-kva.test")
TABLE = {
    "allowed.test": ["127.0.0.1"],
    "other.test": ["127.0.0.1"],
    "denied.test": ["127.0.0.1"],
    "xn--bcher-kva.test": ["127.0.0.1"],
    "mixed.allowed.test": ["10.9.9.9", "127.0.0.1"],
    "meta.allowed.test": ["169.254.169.254"],
    "loop.allowed.test": ["127.0.0.2"],
    "priv.allowed.test": ["10.0.0.7"],
    "cgnat.allowed.test": ["100.64.0.7"],
    "zero.allowed.test": ["0.0.0.0"],
    "v6map.allowed.test": ["::ffff:169.254.169.254"],
    "v6loop.allowed.test": ["::1"],
    "nat64.allowed.test": ["64:ff9b::a00:7"],
    "sixtofour.allowed.test": ["2002:a00:7::1"],
    "ula.allowed.test": ["fd00::1"],
    "dumb.other.test": ["never"],
}


@dataclass
class Town:
    """A gate whose operator listed 127.0.0.1 alone, and what it looked up. Origins: one with TLS, one with that and HTTP/1
    alone, one without.
    """

    gate: Gate
    secure: Origin
    old: Origin
    plain: Origin
    looked_up: Path
    folder: Path
    numbers: "itertools.count[int]"
    settings: dict[str, Any]

    def session(self, *allow: Any, bound: bool = True, placeholders: dict[str, str] | None = None) -> "Guest":
        """A new sandbox. Entries get the port of the origin with TLS where they end in a colon, of the other in `:80`."""
        name = f"s{next(self.numbers)}"
        path = self.folder / f"{name}.sock"
        assert self.gate.ask(op="open", session=name, socket=str(path), placeholders=placeholders or {})["ok"]
        guest = Guest(self, name, path)
        if bound:
            guest.bind(*allow)
        return guest

    @property
    def arrived(self) -> bytes:
        return self.secure.everything + self.plain.everything

    def lookups(self) -> list[str]:
        return self.looked_up.read_text().split() if self.looked_up.exists() else []


@dataclass
class Guest:
    """One session, seen from inside of its sandbox and from its server."""

    town: Town
    name: str
    path: Path

    def bind(self, *allow: Any) -> None:
        told = self.town.gate.ask(op="bind", session=self.name, allow=[self._entry(entry) for entry in allow])
        assert told == {"re": told["re"], "ok": True}

    def _entry(self, entry: Any) -> Any:
        if isinstance(entry, dict):
            return {**entry, "host": self._entry(entry["host"])}
        if entry.startswith("tcp://"):
            return entry
        host, colon, port = entry.partition(":")
        if not colon:
            return f"{host}:{self.town.secure.port}"
        return f"{host}:{self.town.plain.port}" if port == "80" else entry

    def dial(self) -> Sandbox:
        return Sandbox(self.path, self.town.gate.ca)

    def at(self, host: str) -> str:
        return f"{host}:{self.town.secure.port}"

    def tunnel(self, host: str, sni: str | None = None, protocols: Sequence[str] = ("http/1.1",)) -> Sandbox:
        sandbox = self.dial()
        try:
            assert sandbox.connect(self.at(host)).status == 200
            return sandbox.tls(sni or host, tuple(protocols))
        except BaseException:
            sandbox.sock.close()
            raise

    def refused(self, **fields: Any) -> dict[str, Any]:
        """A refusal as it was told; the session is closed for it, which tells what was still being counted."""
        self.town.gate.ask(op="close", session=self.name)
        return self.town.gate.event("refused", self.name, **fields)

    def flow(self, **fields: Any) -> dict[str, Any]:
        return self.town.gate.event("flow", self.name, **fields)


@contextmanager
def opened(folder: Path, **configure: Any) -> Iterator[Town]:
    """Until left. `folder` has its authority and what it looked up."""
    authority = FakeAuthority(folder)
    log = folder / "lookups"
    gate = Gate(
        folder,
        [str(ROOT / "tests/egress/world/spied_gate.py")],
        {"SPY_TABLE": json.dumps(TABLE), "SPY_LOG": str(log)},
    )
    settings: dict[str, Any] = {
        "upstream_ca": str(authority.path),
        "networks": ["127.0.0.1/32"],
        "resolve": {"static.test": "127.0.0.1"},
    }
    settings |= configure
    gate.ready(**settings)
    with short_folder() as sockets:
        secure, old = Origin(authority.context(*NAMES)), Origin(authority.context(*NAMES, protocols=("http/1.1",)))
        town = Town(gate, secure, old, Origin(None), log, sockets, itertools.count(), settings)
        try:
            yield town
        finally:
            gate.close()
            for origin in (town.secure, town.old, town.plain):
                origin.close()
