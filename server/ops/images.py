"""`sandgate images build|list` as a person sees them: a bar at a terminal, a line a step in a log."""

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from server.ops.snapshots import prepared_facts, prepared_table
from server.sandbox.engine import find_engine
from server.sandbox.image_build import BuildFailed, ImageState, OnProgress, Step, build, list_images
from server.settings import ENVIRON, HOME
from server.settings_files import load

_WIDTH: Final = 100  # of a step's sentence: an apt step is a whole script


def build_wanted(arguments: argparse.Namespace) -> int:
    settings = load()
    engine = find_engine(ENVIRON, HOME, settings.state_dir)
    bundle = arguments.ca_bundle or _company_certificates()
    build_images(engine.url, Console(), arguments.images, bundle, force=arguments.force)
    return 0


def _company_certificates() -> Path | None:
    """SSL_CERT_FILE, where it names a bundle: what this machine trusts, its images must trust too."""
    named = ENVIRON.get("SSL_CERT_FILE")
    return Path(named) if named and Path(named).is_file() else None


def listed(arguments: argparse.Namespace) -> int:
    engine = find_engine(ENVIRON, HOME, load().state_dir)
    if arguments.json:
        images = [asdict(state) for state in list_images(engine.url)]
        print(json.dumps({"images": images, "prepared": prepared_facts()}, indent=2))
        return 0
    console = Console()
    console.print(table(list_images(engine.url)))
    if prepared := prepared_table():
        console.print(prepared)
    return 0


def build_images(
    engine_url: str,
    console: Console,
    images: Sequence[str] = (),
    ca_bundle: Path | None = None,
    *,
    force: bool = False,
) -> list[ImageState]:
    """Build what is not current and say what came of each; a failure's last lines are shown before it is raised."""
    try:
        with _bar(console) if console.is_terminal else _lines(console) as on_progress:
            made = build(engine_url, images, ca_bundle, on_progress, force=force)
    except BuildFailed as failed:
        console.print(Text(failed.log), soft_wrap=True)
        raise
    for state in made:
        console.print(Text(summary(state)))
    return made


def summary(state: ImageState) -> str:
    how = f"built in {state.seconds:.0f} s on {state.made_from}" if state.seconds else "is current"
    return f"sandgate/{state.image}: {how}, {state.size / 1e6:.0f} MB"


def table(states: Sequence[ImageState]) -> Table:
    made = Table("image", "state", "size", "made from", box=None)
    for state in states:
        size = f"{state.size / 1e6:.0f} MB" if state.size else "-"
        made.add_row(state.tag, state.state, size, state.made_from or "-")
    return made


@contextmanager
def _bar(console: Console) -> Iterator[OnProgress]:
    columns = (TextColumn("{task.fields[image]}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None, image="")

        def show(step: Step) -> None:
            sentence = Text(step.sentence[:_WIDTH]).markup  # apt's own brackets are not ours to interpret
            total = step.total or None
            progress.update(
                task, description=sentence, completed=step.done, total=total, image=f"sandgate/{step.image}"
            )

        yield show


@contextmanager
def _lines(console: Console) -> Iterator[OnProgress]:
    last: list[tuple[str, int, int]] = []

    def show(step: Step) -> None:
        now = (step.image, step.done, step.total)
        if step.total and last == [now]:
            return  # what a step itself prints is hundreds of lines; it is shown when the step fails
        last[:] = [now]
        place = f" {step.done + 1}/{step.total}" if step.total else ""
        console.print(Text(f"sandgate/{step.image}{place} {step.sentence[:_WIDTH]}"), soft_wrap=True)

    yield show
