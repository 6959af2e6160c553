"""What a case let arrive, read from the log of the fake internet alone, and what of it should not have."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.egress.world.internet import Log
from tests.egress.world.zone import NAME_SERVER, ZONE

PUBLIC = ("11.22.33.10", "11.22.33.11", "11.22.33.12", "11.22.33.20", "2a11:22:33::10")
PORTS = (80, 443, 8443, 5432)
HOSTS = re.compile(r"(?:\w[\w-]*\.)?allowed\.test|xn--bcher-kva\.test|paths\.test|port\.test:8443")
NEVER = re.compile(r"sandgate_[0-9a-f]|sesspw|proxy-(?:authorization|connection)", re.IGNORECASE)
_BASIC = re.compile(r"basic (\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table. arrives: requests, exactly these. looks_up: names, by default those of the requests.

    dials: address:port, by default where those names lead. loose: whatever is allowed at all may arrive. secret: some
    of what arrives carries one.
    """

    id: str
    kind: str
    published: bool
    what: str
    do: Sequence[str]
    arrives: tuple[str, ...] = ()
    looks_up: frozenset[str] = frozenset()
    dials: frozenset[str] = frozenset()
    loose: bool = False
    secret: bool = False

    @classmethod
    def parse(cls, line: Mapping[str, Any]) -> "Case":
        arrives = tuple(line.get("arrives", ()))
        places = [_place(text) for text in arrives]
        names = frozenset(line.get("looks_up", [name for name, _ in places]))
        dials = frozenset(line.get("dials", [f"{_leads_to(name)}:{port}" for name, port in places]))
        told = (line["id"], line["class"], line["published"], line["what"], line["do"])
        return cls(*told, arrives, names, dials, line.get("loose", False), line.get("secret", False))

    def names(self, request: Mapping[str, Any]) -> bool:
        """Whether a request that arrived is one of this case's."""
        return re.search(rf"\b{self.id}\b", url(request)) is not None


def _place(text: str) -> tuple[str, int]:
    scheme, _, rest = text.partition(" ")[2].partition("://")
    host, _, port = rest.partition("/")[0].partition(":")
    return host, int(port or {"http": 80, "https": 443}[scheme])


def _leads_to(name: str) -> str:
    return ZONE.get(name, ZONE["*.allowed.test"])[0][0]


def url(request: Mapping[str, Any]) -> str:
    """`METHOD scheme://host/path` as the origin read it."""
    fields = _fields(request)
    scheme = "https" if request["tls"] else "http"
    if ":method" in fields:
        return f"{fields[':method']} {scheme}://{fields[':authority']}{fields[':path']}"
    method, _, rest = request["head"].partition("\r\n")[0].partition(" ")
    return f"{method} {scheme}://{fields.get('host', '')}{rest.removesuffix(' HTTP/1.1')}"


def _fields(request: Mapping[str, Any]) -> dict[str, str]:
    lines = request["head"].replace("\r\n", "\n").split("\n")
    parts = (line.rpartition(": ") if line.startswith(":") else line.partition(": ") for line in lines)
    return {name.lower(): value for name, mark, value in parts if mark}


def carries(request: Mapping[str, Any], secrets: Sequence[str]) -> bool:
    head = request["head"]
    opened = [base64.b64decode(match[1] + "==").decode("latin1") for match in _BASIC.finditer(head)]
    return any(secret in text for secret in secrets for text in (head, *opened))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The log of a whole run, cut by when each case began."""

    log: Log
    began: Mapping[str, float]
    secrets: Sequence[str]

    def against(self, case: Case) -> list[str]:
        """What went wrong in this case; nothing is what it should be."""
        arrived = [request for request in self.log.requests if case.names(request)]
        wrong = [f"{url(request)} arrived" for request in arrived if not allowed(request)]
        if any(carries(request, self.secrets) for request in arrived) is not case.secret:
            wrong.append("a secret arrived" if not case.secret else "no secret arrived")
        dialled = {f"{p['target']}:{p['port']}" for p in self._within(case, self.log.packets) if new(p)}
        asked = {str(asked["name"]) for asked in self._within(case, self.log.lookups)}
        if case.loose:
            return wrong
        if sorted(map(url, arrived)) != sorted(case.arrives):
            wrong.append(f"arrived: {[url(request) for request in arrived]}")
        if dialled != case.dials:
            wrong.append(f"dialled: {dialled}")
        if asked != case.looks_up:
            wrong.append(f"looked up: {asked}")
        return wrong

    def _within(self, case: Case, what: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        begins = self.began[case.id]
        ends = min((when for when in self.began.values() if when > begins), default=float("inf"))
        return (one for one in what if begins <= one["when"] < ends)

    def of_nobody(self, cases: Sequence[Case]) -> list[str]:
        """What arrived and was of no case, or could not have been of any."""
        strays = [url(r) for r in self.log.requests if not any(case.names(r) for case in cases)]
        places = {f"{address}:{port}" for address in PUBLIC for port in PORTS}
        strays += [f"{p['target']}:{p['port']}" for p in self.log.packets if new(p) and _at(p) not in places]
        shown = [p["said"] for p in self.log.packets if any(secret in p["said"] for secret in self.secrets)]
        return strays + shown


def _at(packet: Mapping[str, Any]) -> str:
    return f"{packet['target']}:{packet['port']}"


def new(packet: Mapping[str, Any]) -> bool:
    """A connection's beginning, or anything that is none; questions to the name server are its own record."""
    return bool(packet["opens"]) and not (packet["target"] == NAME_SERVER and packet["port"] in {0, 53})


def allowed(request: Mapping[str, Any]) -> bool:
    """Whether a request may arrive at all, whoever sent it: its host, its name in TLS, its address and its head."""
    host = url(request).partition("://")[2].partition("/")[0]
    named = request["sni"] == host.partition(":")[0] if request["tls"] else request["port"] == 80
    right = HOSTS.fullmatch(host) is not None and request["address"] in PUBLIC
    return bool(named and right and not NEVER.search(request["head"]))
