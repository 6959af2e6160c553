"""`sandgate page`: a link to the page of each server that runs, good for one browser, once."""

import argparse
import sys

from server.ops.door import links
from server.settings.files import load


class NoServer(Exception):
    """No server of this user's runs that could show a page."""


def link(arguments: argparse.Namespace) -> int:
    """The links alone on standard output, for programs that open them."""
    runtime = load(arguments.config).runtime_dir
    found = list(links(runtime))
    for address, sessions in found:
        if len(found) > 1:
            print(f"with {', '.join(sessions) or 'no session yet'}:", file=sys.stderr, flush=True)
        print(address, flush=True)
    if not found:
        raise NoServer(
            f"no server of yours runs (looked in {runtime}); it must run while you ask: start your client, or `sandgate serve`"
        )
    print("each link lets one browser in, once, within five minutes, as the operator", file=sys.stderr)
    return 0
