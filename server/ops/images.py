"""`sandgate images build|list` as a person sees them: a bar an image at a terminal, a line now and then in a log."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.ops import apt
from server.ops.columns import folded, show, typed
from server.ops.progress import progress
from server.ops.snapshots import prepared_facts, prepared_table
from server.sandbox.engine import find_engine
from server.sandbox.image_build import BuildFailed, ImageState, NothingToBuildOn, build, list_images
from server.sandbox.image_recipe import known_images
from server.settings.files import load
from server.settings.settings import ENVIRON, HOME
from server.words import BadUsage


def build_wanted(arguments: argparse.Namespace) -> int:
    if unknown := [image for image in arguments.images if image not in known_images()]:
        raise BadUsage(f"there is no image {unknown[0]}; there are: {', '.join(known_images())}")
    settings = load(arguments.config)
    engine = find_engine(ENVIRON, HOME, settings.state_dir)
    bundle = arguments.ca_bundle or _company_certificates()
    build_images(engine.url, Console(), arguments.images, bundle, force=arguments.force)
    return 0


def _company_certificates() -> Path | None:
    """SSL_CERT_FILE, where it names a bundle: what this machine trusts, its images must trust too."""
    named = ENVIRON.get("SSL_CERT_FILE")
    return Path(named) if named and Path(named).is_file() else None


def _proxies() -> dict[str, str]:
    """As this machine has them; the engine's own builds look at none of these by themselves."""
    names = ("http_proxy", "https_proxy", "no_proxy")
    return {name: ENVIRON[name] for name in (*names, *map(str.upper, names)) if name in ENVIRON}


def listed(arguments: argparse.Namespace) -> int:
    engine = find_engine(ENVIRON, HOME, load(arguments.config).state_dir)
    if arguments.json:
        images = [asdict(state) for state in list_images(engine.url)]
        print(json.dumps({"images": images, "prepared": prepared_facts(arguments.config)}, indent=2))
        return 0
    show(table(list_images(engine.url)))
    if prepared := prepared_table(arguments.config):
        show(prepared)
    return 0


def build_images(
    engine_url: str,
    console: Console,
    images: Sequence[str] = (),
    ca_bundle: Path | None = None,
    *,
    force: bool = False,
) -> list[ImageState]:
    """Build what is not current and say what came of each; a failure's last lines are shown before it is raised.

    Where no registry answers, root on Debian gets what makes an image of its packages, as it gets an engine.
    """
    make = partial(_built, engine_url, console, images, ca_bundle, force=force)
    try:
        made = make()
    except NothingToBuildOn:
        if os.geteuid() != 0 or not apt.is_here(ENVIRON):
            raise
        apt.install(lambda: apt.MMDEBSTRAP, ENVIRON, lambda said: console.print(Text(said), soft_wrap=True))
        made = make()
    for state in made:
        if not state.seconds:  # what was built has said so as soon as it was
            console.print(Text(f"sandgate/{state.image}: {state.summary}"))
    return made


def _built(
    engine_url: str, console: Console, images: Sequence[str], ca_bundle: Path | None, *, force: bool
) -> list[ImageState]:
    try:
        with progress(console) as on_progress:
            return build(engine_url, images, ca_bundle, on_progress, force=force, proxies=_proxies())
    except BuildFailed as failed:
        if failed.log:
            console.print(Text(failed.log), soft_wrap=True)
        raise


def table(states: Sequence[ImageState]) -> Table:
    made = Table(typed("image"), *map(folded, ("state", "size", "made from")), box=None)
    for state in states:
        size = f"{state.size / 1e6:.0f} MB" if state.size else "-"
        made.add_row(state.tag, state.state, size, state.made_from or "-")
    return made
