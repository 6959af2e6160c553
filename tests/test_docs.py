"""The documentation is held to what it shows: settings load, rules compile, commands parse, files and links are there."""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from server.commands import command_parser
from server.judge.bundle import read_bundle
from server.settings.settings import Settings
from tests.server.judge.judging import BUNDLE, asks, command, ids, judge

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")])


def blocks(language: str) -> Iterator[object]:
    for page in PAGES:
        for number, block in enumerate(re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)):
            yield pytest.param(block, id=f"{page.name}-{number}")


def commands() -> Iterator[object]:
    for page in PAGES:
        for line in re.findall(r"^    (sandgate .*)$", page.read_text(), re.MULTILINE):
            yield pytest.param(re.split(r"\s{3,}", line)[0], id=f"{page.name}: {line[:60]}")


@pytest.mark.parametrize("block", [*blocks("toml")])
def test_settings_that_are_shown_load(block: str) -> None:
    Settings.model_validate(tomllib.loads(block))


@pytest.mark.parametrize("block", [*blocks("rego")])
def test_rules_that_are_shown_are_taken_by_the_judge(block: str, tmp_path: Path) -> None:
    (tmp_path / "shown.rego").write_text(block)
    read_bundle(BUNDLE, {}, [tmp_path])
    with judge(None, tmp_path) as taken:
        assert taken.revision


@pytest.mark.anyio
async def test_the_rule_on_terraform_does_what_its_page_says(tmp_path: Path) -> None:
    (tmp_path / "shown.rego").write_text(next(block.values[0] for block in blocks("rego")))  # type: ignore[attr-defined]  # a param
    with judge(None, tmp_path) as taken:
        applied = await taken.decide(asks(command("terraform", "apply")))
        planned = await taken.decide(asks(command("terraform", "plan")))

    assert "custom.house" in ids(applied)
    assert ids(planned) == []


@pytest.mark.parametrize("line", [*commands()])
def test_commands_that_are_shown_are_understood(line: str) -> None:
    _, *words = shlex.split(line)
    with suppress(SystemExit) if words[-1] == "--help" else nullcontext():
        command_parser().parse_args(words)


@pytest.mark.parametrize("block", [*blocks("ini")])
def test_a_service_that_is_shown_is_taken_by_systemd_and_starts_what_there_is(block: str, tmp_path: Path) -> None:
    _, *words = shlex.split(re.findall(r"^ExecStart=(.*)$", block, re.MULTILINE)[0])
    command_parser().parse_args(words)
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("needs systemd-analyze")
    (tmp_path / "sandgate.service").write_text(block.replace("/usr/local/bin/sandgate", "/bin/true"))
    argv = [analyze, "verify", str(tmp_path / "sandgate.service")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "sandgate.service" in line] == []


def test_every_file_and_link_that_is_named_is_there() -> None:
    named = {
        (page.name, path)
        for page in PAGES
        for path in re.findall(
            r"[`(]((?:server|policy|egress|images|tests|examples|docs)/[\w./-]*)[`)]", page.read_text()
        )
    }

    assert [(page, path) for page, path in sorted(named) if not (ROOT / path).exists()] == []
