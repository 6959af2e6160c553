"""`sandgate serve`."""

import argparse
import gc
import logging
import os
import resource
import sys
import threading
import time
from typing import Final

import anyio

from server.front.mcp_server import serve_stdio
from server.ops.served import overrides
from server.record.steps import JsonLines
from server.record.traces import sent_to
from server.secret_values import lacking
from server.settings.files import Source
from server.settings.settings import ENVIRON, Settings
from server.wiring.workspaces import workspaces

THREADS_S: Final = 1.0  # in which those go that have nothing to do any more


def serve(arguments: argparse.Namespace) -> int:
    gc.freeze()  # what is imported stays: no sweep has to look through it, in the middle of somebody's call
    _raise_open_files()
    source = Source(arguments.config, overrides(arguments))
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
    end_without_threads(0)
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


def end_without_threads(code: int) -> None:
    """End the process here where threads still wait for an engine that does not answer: Python would wait for them, a minute
    or more, after everything else has ended."""
    until = time.monotonic() + THREADS_S
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                logging.shutdown()
                sys.stdout.flush()
                os._exit(code)


def _raise_open_files() -> None:
    """Each session holds some files; the usual soft limit of 1,024 is reached by a handful of busy ones."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
