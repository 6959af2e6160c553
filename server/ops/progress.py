"""What a person sees while something takes long: at a terminal a bar for each thing, in a log a line now and then."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from server.sandbox.apt_lines import OnProgress, Step

EVERY_S: Final = 10.0  # in a log, also where nothing new is known: silence looks like a hang
_WIDTH: Final = 100  # of a sentence
_NUMBERS: Final = re.compile(r"\d+")


@contextmanager
def progress(console: Console, every_s: float = EVERY_S) -> Iterator[OnProgress]:
    """Takes the steps of any number of things at once, from one thread; what is over stays as a line."""
    with _bars(console) if console.is_terminal else _lines(console, every_s) as on_progress:
        yield on_progress


@contextmanager
def _bars(console: Console) -> Iterator[OnProgress]:
    columns = (TextColumn("{task.fields[image]}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as shown:
        tasks: dict[str, TaskID] = {}

        def show(step: Step) -> None:
            if step.over:
                if step.image in tasks:
                    shown.remove_task(tasks.pop(step.image))
                shown.console.print(_line(step), soft_wrap=True)
                return
            if step.image not in tasks:
                tasks[step.image] = shown.add_task("", total=None, image=step.image)
            sentence = Text(step.sentence[:_WIDTH]).markup  # apt's own brackets are not ours to interpret
            shown.update(tasks[step.image], description=sentence, completed=step.done, total=step.total or None)

        yield show


@dataclass(slots=True)
class _Going:
    """What is under way: how far, since when, and when that was last said."""

    step: Step
    since: float
    told: float


@contextmanager
def _lines(console: Console, every_s: float) -> Iterator[OnProgress]:
    """A line when something else begins, and again after some seconds in which nothing else did."""
    going: dict[str, _Going] = {}
    writing, ended = threading.Lock(), threading.Event()

    def show(step: Step) -> None:
        with writing:
            now, before = time.monotonic(), going.get(step.image)
            if before is None or step.over or _kind(step) != _kind(before.step):
                console.print(_line(step), soft_wrap=True)
                going[step.image] = _Going(step, before.since if before else now, now)
            else:
                before.step = step
            if step.over:
                del going[step.image]

    def remind() -> None:
        while not ended.wait(every_s / 10):
            with writing:
                now = time.monotonic()
                for each in [each for each in going.values() if now >= each.told + every_s]:
                    console.print(_line(each.step, f" ({now - each.since:.0f} s)"), soft_wrap=True)
                    each.told = now

    thread = threading.Thread(target=remind, daemon=True)
    thread.start()
    try:
        yield show
    finally:
        ended.set()
        thread.join()


def _line(step: Step, more: str = "") -> Text:
    return Text(f"{step.image}: {step.sentence[:_WIDTH]}{more}")


def _kind(step: Step) -> str:
    return _NUMBERS.sub("", step.sentence)
