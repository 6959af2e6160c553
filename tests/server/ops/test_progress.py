import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from server.ops.progress import progress
from server.sandbox.apt_lines import OnProgress, Step


class Log(io.StringIO):
    """What a log got; `reminded` is set once a line says for how long something has gone on."""

    def __init__(self) -> None:
        super().__init__()
        self.reminded = threading.Event()

    def write(self, text: str) -> int:
        if " s)" in text:
            self.reminded.set()
        return super().write(text)


@contextmanager
def shown(log: Log, *, terminal: bool, every_s: float = 60) -> Iterator[OnProgress]:
    with progress(Console(file=log, force_terminal=terminal, width=150), every_s) as on_progress:
        yield on_progress


def test_a_log_gets_a_line_when_something_else_begins() -> None:
    log = Log()
    with shown(log, terminal=False) as on_progress:
        on_progress(Step("debian", "asking the registry"))
        on_progress(Step("debian", "here", over=True))
        for number in range(1, 4):
            on_progress(Step("base", f"unpacking {number} of 3 [packages]", number, 9))
        on_progress(Step("base", "finishing"))

    assert log.getvalue().splitlines() == [
        "debian: asking the registry",
        "debian: here",
        "base: unpacking 1 of 3 [packages]",
        "base: finishing",
    ]


def test_a_log_is_never_silent_for_long() -> None:
    log = Log()
    with shown(log, terminal=False, every_s=0.05) as on_progress:
        on_progress(Step("over", "done", over=True))
        on_progress(Step("base", "unpacking 2 of 3 packages", 2, 9))
        assert log.reminded.wait(60)

    assert "base: unpacking 2 of 3 packages (0 s)" in log.getvalue()
    assert "over: done (" not in log.getvalue()


def test_a_terminal_gets_a_bar_for_each_and_a_line_for_what_is_over() -> None:
    log = Log()
    with shown(log, terminal=True) as on_progress:
        on_progress(Step("agent", "unpacking 1 of 9 [packages]", 1, 27))
        on_progress(Step("python", "step 2 of 8"))
        on_progress(Step("agent", "built in 3 s", over=True))

    said = log.getvalue()
    assert "unpacking 1 of 9 [packages]" in said
    assert "step 2 of 8" in said
    assert "agent: built in 3 s\n" in said
