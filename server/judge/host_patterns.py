"""The operator's list of hosts, as the rules match it: names in their one form, path globs as regular expressions.

The gate reads the same entries by itself (egress/allowlist.py), and a test holds the two to one answer.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import idna

RAW = "tcp://"
_PORT = re.compile(r"(?<=[^:\]]):(\d+)$|(?<=\]):(\d+)$")
_WEB = [80, 443]


class BadHost(ValueError):
    """An entry of the list cannot be meant; the text is one sentence."""


def host_pattern(entry: Any) -> dict[str, Any]:
    """For data.sandgate_config.egress: `given` is what the gate gets, `asking` the same where each request is put to us."""
    told = {"host": entry} if isinstance(entry, str) else dict(entry)
    text, roles = str(told["host"]), list(told.pop("roles", ()))
    raw, name = text.startswith(RAW), text.removeprefix(RAW)
    port = _PORT.search(name)
    host = name[: port.start()] if port else name
    kind = "any" if host == "*" else "under" if host.startswith("*.") else "exact"
    return {
        "given": text if told.keys() == {"host"} else told,
        "asking": {**told, "ask": True},
        "host": "" if kind == "any" else _one_form(host.removeprefix("*.")),
        "kind": kind,
        "ports": [int(port[1] or port[2])] if port else _WEB,
        "methods": [str(method).upper() for method in told.get("methods", ())],
        "paths": [_expression(str(glob)) for glob in told.get("paths", ())],
        "raw": raw,
        "ask": bool(told.get("ask")),
        "roles": roles,
    }


def _one_form(host: str) -> str:
    """As the gate compares names: lower case, ASCII, an address in its shortest form. Raises BadHost."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(bare))
    except ValueError:
        pass
    try:
        return host.lower() if host.isascii() else idna.encode(host, uts46=True, std3_rules=True).decode()
    except UnicodeError as exc:
        raise BadHost(f"egress has {host!r}, which is not an international host name") from exc


def split(text: str) -> tuple[str, int]:
    """Host in its one form and port (443 where none is said) of what a person or a model asks about. Raises BadHost."""
    if re.search(r"[/\s@]", text):
        raise BadHost(f"{text!r} is not HOST or HOST:PORT, such as api.example.com or git.example.com:8443")
    port = _PORT.search(text)
    host = text[: port.start()] if port else text
    return _one_form(host.rstrip(".")), int(port[1] or port[2]) if port else 443


def _expression(glob: str) -> str:
    """`*` is anything within one segment of a path, `**` anything at all. RE2, as both engines read it."""
    meanings: Mapping[str, str] = {"**": ".*", "*": "[^/]*"}
    parts = (meanings.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*)", glob))
    return f"^(?:{''.join(parts)})$"
