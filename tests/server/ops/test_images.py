import io
import os
from contextlib import nullcontext

import pytest
from rich.console import Console

from server.ops import apt, images
from server.ops.images import build_images, table
from server.sandbox.image_build import BuildFailed, ImageState, NothingToBuildOn
from tests.real_engine import engine_url

BUILT = ImageState("base", "sandgate/base:latest", "current", 235_400_000, "debian:trixie-slim", 31.6)


def test_an_image_is_summed_up_with_its_size() -> None:
    assert BUILT.summary == "built in 32 s on debian:trixie-slim, 235 MB"
    assert ImageState("base", "t", "current", 1_000_000).summary == "is current, 1 MB"


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


@pytest.mark.parametrize(("user", "debian"), [(0, True), (0, False), (1000, True)])
def test_what_makes_an_image_of_debians_packages_is_installed_for_root_on_debian(
    monkeypatch: pytest.MonkeyPatch, *, user: int, debian: bool
) -> None:
    asked: list[str] = []

    def building(*_: object, **__: object) -> list[ImageState]:
        if asked:
            return [BUILT]
        raise NothingToBuildOn("Neither a registry nor mmdebstrap could provide Debian")

    monkeypatch.setattr(images, "build", building)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(apt, "is_here", lambda _: debian)
    monkeypatch.setattr(apt, "install", lambda choose, *_: asked.extend(choose()))
    with nullcontext() if user == 0 and debian else pytest.raises(NothingToBuildOn):
        assert build_images("unix:///x", Console(file=io.StringIO())) == [BUILT]

    assert asked == (["mmdebstrap", "debian-archive-keyring"] if user == 0 and debian else [])
