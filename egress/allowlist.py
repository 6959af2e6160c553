"""What one session may reach: the operator's entries, parsed once into matchers. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from egress.destination import BadName, Destination, address_of, clip, normal_host, parse_port
from egress.paths import BadGlob, Paths

RAW = "tcp://"
DEFAULT_PORTS = frozenset({80, 443})
_METHOD = re.compile(r"[A-Z]{1,20}", re.ASCII)
EVERY = "*"  # any name at all, which only an entry that asks may say
_KEYS = frozenset({"host", "methods", "paths", "ask"})


class BadEntry(ValueError):
    """An entry of an allowlist cannot be read; the message says which and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an allowlist. `text` is what the operator wrote; empty methods or paths mean any.

    raw: bytes are passed as they are, and nothing of HTTP is. asks: what it admits, the server has to say yes to.
    """

    text: str
    host: str
    subdomains: bool
    ports: frozenset[int]
    methods: frozenset[str] = frozenset()
    paths: Paths = field(default_factory=Paths)
    raw: bool = False
    asks: bool = False

    def names(self, host: str) -> bool:
        if self.host == EVERY:
            return "." in host and address_of(host) is None
        return host.endswith(f".{self.host}") if self.subdomains else host == self.host

    def why_not(self, port: int, method: str, path: str) -> str | None:
        """None where the entry admits the request to its host; otherwise the one thing that it does not admit."""
        if port not in self.ports:
            return f"`{self.text}` allows port {_either(self.ports)}, not {port}"
        if self.methods and method not in self.methods:
            return f"`{self.text}` allows {_either(self.methods)}, not {clip(method, 20)}"
        if not self.paths.admits(path):
            return f"`{self.text}` does not allow the path {clip(path)}"
        return None


@dataclass(frozen=True, slots=True)
class Allowlist:
    """The entries of one session; asked on every request."""

    entries: tuple[Entry, ...] = ()
    _exact: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    _under: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    _raw: frozenset[Destination] = frozenset()
    _asking: tuple[Entry, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[Any]) -> "Allowlist":
        """From strings and `{host, methods, paths, ask}` objects; BadEntry on the first that cannot be meant."""
        parsed = tuple(_entry(raw) for raw in entries)
        read = tuple(entry for entry in parsed if not (entry.raw or entry.asks))
        asking = tuple(entry for entry in parsed if entry.asks)
        raw = frozenset(Destination(entry.host, port) for entry in parsed if entry.raw for port in entry.ports)
        return cls(parsed, _by_host(read, subdomains=False), _by_host(read, subdomains=True), raw, asking)

    @property
    def texts(self) -> tuple[str, ...]:
        """Of what passes without a question."""
        return tuple(entry.text for entry in self.entries if not entry.asks)

    def why_not(self, destination: Destination, method: str, path: str) -> str | None:
        """None where some entry admits the request; otherwise a sentence with the nearest miss."""
        misses = [entry.why_not(destination.port, method, path) for entry in self._naming(destination.host)]
        if None in misses:
            return None
        if misses:
            return f"{destination} is not allowed here: {'; '.join(miss for miss in misses if miss)}."
        return f"{destination.host} is not on this session's list of allowed hosts{self._hint(destination.host)}."

    def admitting(self, destination: Destination, method: str, path: str) -> str:
        """The text of the first entry that admits it; empty where none does."""
        if self.passes_raw(destination):
            return f"{RAW}{destination}"
        fits = (one for one in self._naming(destination.host) if one.why_not(destination.port, method, path) is None)
        return next((entry.text for entry in fits), "")

    def asks_about(self, destination: Destination, method: str, path: str) -> bool:
        """Whether the server has to be asked about a request that no other entry admits."""
        return any(
            entry.names(destination.host) and entry.why_not(destination.port, method, path) is None
            for entry in self._asking
        )

    def passes_raw(self, destination: Destination) -> bool:
        """Whether whatever is said there is passed unread."""
        return destination in self._raw

    def admits_port(self, destination: Destination) -> bool:
        """Whether any request at all may go there; the connection itself is judged by this."""
        admitted = any(destination.port in entry.ports for entry in self._naming(destination.host))
        return admitted or self.passes_raw(destination)

    def _naming(self, host: str) -> Iterator[Entry]:
        yield from self._exact.get(host, ())
        for parent in _parents(host):
            yield from self._under.get(parent, ())

    def _hint(self, host: str) -> str:
        if address_of(host) is not None:
            return "; addresses are allowed only where the list names them"
        if host in self._under:
            return f": `*.{host}` allows its subdomains, not {host} itself"
        parent = next((name for name in _parents(host) if name in self._exact), None)
        return f": `{parent}` allows that name alone, `*.{parent}` would allow this one" if parent else ""


def _parents(host: str) -> Iterator[str]:
    while "." in host:
        host = host.partition(".")[2]
        yield host


def _by_host(entries: tuple[Entry, ...], *, subdomains: bool) -> dict[str, tuple[Entry, ...]]:
    found: dict[str, tuple[Entry, ...]] = {}
    for entry in entries:
        if entry.subdomains is subdomains:
            found[entry.host] = (*found.get(entry.host, ()), entry)
    return found


def _either(values: Iterable[int | str]) -> str:
    return " or ".join(str(value) for value in sorted(values, key=str))


def _entry(raw: Any) -> Entry:
    match raw:
        case str() if raw.startswith(RAW):
            return _raw_entry(raw)
        case str():
            return _host_entry(raw, frozenset(), Paths())
        case {"host": str(host)} if raw.keys() <= _KEYS and isinstance(raw.get("ask", False), bool):
            methods = frozenset(_method(text) for text in _texts(host, raw, "methods"))
            return _host_entry(host, methods, _paths(_texts(host, raw, "paths")), asks=raw.get("ask", False))
        case _:
            raise BadEntry(f"{clip(str(raw))} is neither a host nor an object with host, methods, paths and ask.")


def _raw_entry(text: str) -> Entry:
    host, ports = _host_and_ports(text.removeprefix(RAW))
    if ports is DEFAULT_PORTS or "*" in host:
        raise BadEntry(f"`{clip(text)}` names no host and port of its own; write `tcp://db.example.com:5432`.")
    return Entry(text, _name(text, host), subdomains=False, ports=ports, raw=True)


def _texts(host: str, rest: Mapping[str, Any], key: str) -> list[str]:
    texts = rest.get(key, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadEntry(f"The {key} of `{clip(host)}` are not a list of texts.")
    return texts


def _host_entry(text: str, methods: frozenset[str], paths: Paths, *, asks: bool = False) -> Entry:
    if "://" in text:
        raise BadEntry(f"`{clip(text)}` carries a scheme; write the host alone, as in `example.com:8443`.")
    if "/" in text:
        raise BadEntry(f'`{clip(text)}` carries a path; write {{"host": ..., "paths": [...]}} instead.')
    host, ports = _host_and_ports(text)
    if asks and host == EVERY:
        return Entry(text, EVERY, subdomains=True, ports=ports, methods=methods, paths=paths, asks=True)
    subdomains = host.startswith("*.")
    name = _name(text, host.removeprefix("*."))
    if subdomains and ("." not in name or address_of(name) is not None):
        raise BadEntry(f"`{clip(text)}` would allow everything beneath a top-level name; name a domain beneath it.")
    return Entry(text, name, subdomains, ports, methods, paths, asks=asks)


def _host_and_ports(text: str) -> tuple[str, frozenset[int]]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.endswith("]")):
        return text, DEFAULT_PORTS
    try:
        return host, frozenset({parse_port(port)})
    except BadName as error:
        raise BadEntry(f"`{clip(text)}` has no port between 1 and 65535 after the colon.") from error


def _name(text: str, host: str) -> str:
    if "*" in host:
        raise BadEntry(
            f"`{clip(text)}` has a `*` that is not its whole first label; only `*.example.com` is a pattern."
        )
    try:
        return normal_host(host)
    except BadName as error:
        raise BadEntry(f"`{clip(text)}` is not a host: {error}.") from error


def _method(text: str) -> str:
    if not _METHOD.fullmatch(text.upper()):
        raise BadEntry(f"`{clip(text)}` is not an HTTP method.")
    return text.upper()


def _paths(texts: list[str]) -> Paths:
    try:
        return Paths.parse(texts)
    except BadGlob as error:
        raise BadEntry(str(error)) from error
