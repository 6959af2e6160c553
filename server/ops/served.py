"""What the options of `sandgate serve` say over the settings, for the server and for who tells a client to start one."""

import argparse
from typing import Any

from server.sandbox.workspaces import BadWorkspace, parse
from server.settings.settings import ALL_GROUPS
from server.words import BadUsage


def overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """Raises BadUsage."""
    told: dict[str, Any] = {}
    if arguments.workspace:
        told["workspace"] = tuple(map(_workspace, arguments.workspace))
    if arguments.allow_root_owned:
        told["allow_root_owned"] = True
    if arguments.environment:
        told["environment"] = arguments.environment
    if arguments.tools is not None:
        told["tools"] = _groups(arguments.tools)
    return told


def _workspace(text: str) -> dict[str, Any]:
    try:
        path, mode = parse(text)
    except BadWorkspace as exc:
        raise BadUsage(f"--workspace {exc}") from exc
    return {"path": path.expanduser(), "mode": mode}


def _groups(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(","))
    if unknown := [group for group in chosen if group not in ALL_GROUPS]:
        raise BadUsage(f"--tools has no group {unknown[0]!r}; there are {', '.join(ALL_GROUPS)}")
    return chosen
