"""`sandgate serve`."""

import argparse
import gc
import logging
import resource
import sys
from typing import Any

import anyio

from server.front.mcp_server import serve_stdio
from server.record.steps import JsonLines
from server.record.traces import sent_to
from server.sandbox.workspaces import parse
from server.sandboxes import workspaces
from server.secret_values import lacking
from server.settings import ALL_GROUPS, ENVIRON, BadSettings, Settings
from server.settings_files import Source


def serve(arguments: argparse.Namespace) -> int:
    gc.freeze()  # what is imported stays: no sweep has to look through it, in the middle of somebody's call
    _raise_open_files()
    overrides: dict[str, Any] = {}
    if arguments.workspace:
        overrides["workspace"] = tuple({"path": path, "mode": mode} for path, mode in map(parse, arguments.workspace))
    if arguments.allow_root_owned:
        overrides["allow_root_owned"] = True
    if arguments.environment:
        overrides["environment"] = arguments.environment
    if arguments.tools is not None:
        overrides["tools"] = _groups(arguments.tools)
    source = Source(arguments.config, overrides)
    settings = source.read()
    workspaces(settings, source.files)  # what cannot be lent is an error, before anything is said of what is
    for sentence in settings.warnings():
        print(f"sandgate: weakened: {sentence}", file=sys.stderr)
    for sentence in lacking(settings.secret, ENVIRON):
        print(f"sandgate: {sentence}", file=sys.stderr)
    if settings.telemetry.log == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    with sent_to(settings.telemetry.traces, settings.telemetry.traces_ca):
        _serve(arguments, settings, source)
    return 0


def _serve(arguments: argparse.Namespace, settings: Settings, source: Source) -> None:
    if arguments.http:
        from server.front.http import Address, serve_http, warnings  # noqa: PLC0415 - stdio need not wait for it

        address = Address(*arguments.http)
        for sentence in warnings(settings.http, address):
            print(f"sandgate: weakened: {sentence}", file=sys.stderr)
        anyio.run(serve_http, settings, source, address)
    else:
        anyio.run(serve_stdio, settings, source)


def _raise_open_files() -> None:
    """Each session holds some files; the usual soft limit of 1,024 is reached by a handful of busy ones."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _groups(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(","))
    if unknown := [group for group in chosen if group not in ALL_GROUPS]:
        raise BadSettings(f"--tools has no group {unknown[0]!r}; there are {', '.join(ALL_GROUPS)}")
    return chosen
