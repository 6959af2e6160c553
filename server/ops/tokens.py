"""`sandgate token`: who may call a server over HTTP with a static token. Only hashes are kept."""

import argparse
import json
import secrets
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import tomlkit
from pydantic import ValidationError
from rich.table import Table
from tomlkit import TOMLDocument

from server.ops.columns import folded, show, typed
from server.ops.user_settings import NotSaved, alone, parsed, save
from server.settings.files import load, user_file
from server.settings.http import TokenSettings, digest

PREFIX = "sgt_"  # so that scanners of leaked secrets know it
BYTES = 32


def new(arguments: argparse.Namespace) -> int:
    """Make one and show it once; under a name that has one already it takes that one's place."""
    with alone(user_file()):
        return _new(arguments)


def _new(arguments: argparse.Namespace) -> int:
    load()  # refuses what is no setting, so the file is of the shape we expect
    token = PREFIX + secrets.token_urlsafe(BYTES)
    document = parsed(user_file())
    others = [entry for entry in _tokens(document) if entry["name"] != arguments.name]
    rotated = len(others) < len(_tokens(document))
    made: dict[str, Any] = {"name": arguments.name, "sha256": digest(token), "roles": arguments.role or ["user"]}
    if arguments.days:
        made["expires"] = (datetime.now(UTC) + timedelta(days=arguments.days)).date()
    try:
        TokenSettings.model_validate(made)
    except ValidationError as exc:
        wrong = exc.errors()[0]
        why = (
            "letters, digits and . _ @ - are, up to 64" if wrong["type"] == "string_pattern_mismatch" else wrong["msg"]
        )
        raise NotSaved(f"{wrong['loc'][0]} {wrong['input']!r} will not do: {why}; nothing was changed") from exc
    _write(document, [*others, made])
    print(token)
    print(
        f"this is {arguments.name}'s token, shown this once ({user_file()} has its hash"
        f"{'; the one before is no longer good' if rotated else ''}); clients send it as: Authorization: Bearer TOKEN",
        file=sys.stderr,
    )
    return 0


def listed(arguments: argparse.Namespace) -> int:
    tokens = load().http.tokens
    if arguments.json:
        print(json.dumps([token.model_dump(mode="json") for token in tokens], indent=2))
        return 0
    table = Table(typed("name"), *map(folded, ("roles", "good", "sha256")), box=None)
    for token in tokens:
        until = f"until {token.expires}" if token.expires else "for ever"
        table.add_row(token.name, ", ".join(token.roles), until, token.sha256[:12])
    if tokens:
        show(table)
    else:
        print("nobody has a token; `sandgate token new NAME` makes one")
    return 0


def revoke(arguments: argparse.Namespace) -> int:
    """Servers that run take it up within a second."""
    with alone(user_file()):
        document = parsed(user_file())
        rest = [entry for entry in _tokens(document) if entry["name"] != arguments.name]
        if len(rest) == len(_tokens(document)):
            raise NotSaved(f"{user_file()} has no token of {arguments.name}; `sandgate token list` shows all")
        _write(document, rest)
    print(f"{arguments.name}'s token is no longer good")
    return 0


def _tokens(document: TOMLDocument) -> list[dict[str, Any]]:
    return [dict(entry) for entry in document.get("http", {}).get("tokens", [])]


def _write(document: TOMLDocument, tokens: list[dict[str, Any]]) -> None:
    table = document.setdefault("http", tomlkit.table())
    rows = tomlkit.aot()
    for token in tokens:
        rows.append(tomlkit.item(token))
    table["tokens"] = rows
    save(user_file(), tomlkit.dumps(document))
    load()
