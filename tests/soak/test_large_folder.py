"""A folder of 100,000 files into a session and its changes back, with what a person sees meanwhile."""

import os
import pty
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.end_to_end.rig import PROGRAM, Home, connected, structured

pytestmark = [pytest.mark.anyio, pytest.mark.soak]
FOLDERS, EACH = 100, 1_000


@pytest.fixture
def project(own_folder: Path) -> Path:
    made = own_folder / "project"
    for folder in range(FOLDERS):
        (made / f"d{folder}").mkdir(parents=True)
        (made / f"node_modules/d{folder}").mkdir(parents=True)
        (made / f"node_modules/d{folder}/f").touch()
        for number in range(EACH):
            (made / f"d{folder}/f{number}").write_text(f"{folder} {number}\n" * 20)
    (made / ".gitignore").write_text("node_modules/\n")
    if os.geteuid() == 0:
        os.chown(made, 1000, 1000)
    return made


def at_a_terminal(home: Home, *argv: str) -> tuple[int, str]:
    """The exit code and all that a person sees; it is asked nothing that is not answered with yes."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *argv], env=home.environ | {"TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs
    ) as ran:
        os.close(theirs)
        os.write(ours, b"y\n")
        seen = b""
        while True:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:  # the last who held the other end has gone
                break
            if not data:
                break
            seen += data
        code = ran.wait(120)
    os.close(ours)
    return code, seen.decode("utf-8", "replace")


@pytest.mark.promise("workspace.copy")
async def test_a_hundred_thousand_files_go_in_and_changes_come_back(own_folder: Path, project: Path) -> None:
    home = Home(own_folder / "home", arguments=("--workspace", str(project)))
    (own_folder / "home").mkdir()
    told: list[tuple[float, str]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message or ""))

    async with connected(home) as client:
        script = "find . -type f | wc -l; ls -d node_modules; for d in d1 d2 d3; do echo more >> $d/f1; rm $d/f2; done; seq 500 | xargs -I{} cp d9/f9 d9/n{}"
        with anyio.fail_after(300):
            result = structured(
                await client.call_tool("shell", {"command": script, "wait_s": 45}, progress_callback=tell)
            )
            while result["status"] == "running" or result["exit_code"] != 0:
                result = structured(await client.call_tool("shell", {"command": "test -e d9/n500"}))
        code, seen = await anyio.to_thread.run_sync(at_a_terminal, home, "apply", "default")

    copied = home.audit("workspace.copied")[0]
    assert (copied["files"], copied["ignored"], copied["unread"]) == (FOLDERS * EACH + FOLDERS + 1, 1, [])
    assert any("100101 files" in message for _, message in told)
    assert [step for step, _ in told] == sorted(step for step, _ in told)
    assert code == 0, seen[-2000:]
    assert "fetching" in seen
    assert "applying" in seen
    assert "506 applied to" in seen
    assert (project / "d1/f1").read_text().endswith("more\n")
    assert not (project / "d3/f2").exists()
    assert len(list((project / "d9").iterdir())) == EACH + 500
