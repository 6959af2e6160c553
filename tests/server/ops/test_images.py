import io

import pytest
from rich.console import Console

from server.ops import images
from server.ops.images import _bar, _lines, build_images, summary, table
from server.sandbox.image_build import BuildFailed, ImageState, Step
from tests.real_engine import engine_url

BUILT = ImageState("base", "sandgate/base:latest", "current", 235_400_000, "debian:trixie-slim", 31.6)


def shown(*steps: Step, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=150)
    with (_bar if terminal else _lines)(console) as on_progress:
        for step in steps:
            on_progress(step)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_log_gets_one_line_a_step_and_none_of_what_the_step_prints() -> None:
    said = shown(
        Step("base", "Asking the registry"),
        Step("base", "Step 2/9 : RUN apt-get [update]", 1, 9),
        Step("base", "Get:1 a mirror", 1, 9),
        Step("base", "Step 3/9 : ENV", 2, 9),
        terminal=False,
    )

    assert said.splitlines() == [
        "sandgate/base Asking the registry",
        "sandgate/base 2/9 Step 2/9 : RUN apt-get [update]",
        "sandgate/base 3/9 Step 3/9 : ENV",
    ]


def test_a_terminal_gets_a_bar_with_the_newest_line() -> None:
    assert "Get:1 [a mirror]" in shown(Step("base", "Get:1 [a mirror]", 1, 9), terminal=True)


def test_an_image_is_summed_up_with_its_size() -> None:
    assert summary(BUILT) == "sandgate/base: built in 32 s on debian:trixie-slim, 235 MB"
    assert summary(ImageState("base", "t", "current", 1_000_000)) == "sandgate/base: is current, 1 MB"


def test_the_table_has_a_row_an_image() -> None:
    console = Console(file=io.StringIO(), width=150)
    console.print(table([BUILT, ImageState("node", "sandgate/node:latest", "missing")]))
    assert isinstance(console.file, io.StringIO)

    assert console.file.getvalue().split("\n")[2].split() == ["sandgate/node:latest", "missing", "-", "-"]


def test_building_what_is_current_says_so() -> None:
    console = Console(file=io.StringIO(), width=150)

    build_images(engine_url(), console, ["base"])

    assert isinstance(console.file, io.StringIO)
    assert "sandgate/base: " in console.file.getvalue()


def test_a_build_that_fails_shows_its_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> list[ImageState]:
        raise BuildFailed("Building failed", "E: [a] telling line")

    monkeypatch.setattr(images, "build", failing)
    console = Console(file=io.StringIO(), width=150)
    with pytest.raises(BuildFailed):
        build_images("unix:///x", console)

    assert isinstance(console.file, io.StringIO)
    assert "E: [a] telling line" in console.file.getvalue()
