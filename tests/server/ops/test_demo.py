"""What the demo's server is started with; that the demo comes out as it says is tried by tests/end_to_end/test_wheel.py."""

import sys
from pathlib import Path
from typing import Any, cast

import pytest
from mcp import Client
from mcp.types import CallToolResult

from server.front.results import plain
from server.ops.demo import _exit, _rows, _to_its_end, called, environment
from server.settings.settings import Settings


def test_the_demo_comes_out_the_same_whatever_the_users_own_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDGATE_PROFILE", "strict")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/ann/.config")
    settings = Settings(state_dir=tmp_path / "state", runtime_dir=tmp_path / "run")

    environ = environment(settings, tmp_path)

    assert environ["XDG_CONFIG_HOME"] == str(tmp_path / "config")
    assert {name: value for name, value in environ.items() if name.startswith("SANDGATE_")} == {
        "SANDGATE_STATE_DIR": str(tmp_path / "state"),
        "SANDGATE_RUNTIME_DIR": str(tmp_path / "run"),
    }


def test_a_long_line_is_shown_in_rows_and_where_it_is_cut_that_is_seen() -> None:
    assert _rows("|", "    indented") == "    |     indented"
    assert _rows("|", "") == "    |"
    rows = _rows("~", "words " * 100).splitlines()
    assert len(rows) == 3
    assert all(row.startswith("    ~ words") for row in rows)
    assert rows[-1].endswith(" ...")


def test_what_to_do_next_is_named_as_a_person_who_stands_here_calls_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / ".venv" / "bin" / "sandgate"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "demo"])
    monkeypatch.chdir(tmp_path)
    assert called() == ".venv/bin/sandgate"

    monkeypatch.chdir("/")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert called() == str(program).removeprefix("/")

    monkeypatch.setenv("PATH", str(program.parent))
    assert called() == "sandgate"


class Slow:
    """A client whose job goes on for two waits."""

    def __init__(self) -> None:
        self.waits = 0

    async def call_tool(self, _: str, asked: dict[str, Any]) -> CallToolResult:
        self.waits += "wait_s" in asked
        state = "running" if self.waits < 3 else "exited with 0"
        said = f"[job j2 {state}; stdout bytes 0-9 of 9]"
        return plain(said if "wait_s" in asked else f"1 passed\n{said}")


@pytest.mark.anyio
async def test_a_job_that_outlasts_its_call_is_read_to_its_end() -> None:
    text = await _to_its_end(cast("Client", Slow()), "j2")

    assert text.startswith("1 passed\n")
    assert _exit(plain(""), text) == 0
    assert _exit(plain(""), "1 passed") is None
