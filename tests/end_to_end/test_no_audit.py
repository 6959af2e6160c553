"""A server whose audit cannot be written: its calls are refused, what reads the state is answered, and then it goes on."""

import os
import subprocess
from pathlib import Path

import pytest
from mcp import Client

from server.record.reading import verify
from tests.end_to_end.rig import Home, connected, structured, text_of
from tests.security.test_disk_full import mounted

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.promise("audit.written_first"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system takes root"),
]

SETTINGS = 'environment = "base"\n'


async def test_on_a_full_disk_calls_are_refused_until_there_is_room(folder: Path) -> None:
    with mounted("ext4", "loop", 48 << 20) as point:
        async with connected(home_on(point, folder / "full")) as client:
            ran = structured(await client.call_tool("shell", {"command": "echo before"}))
            filled = fill(point)
            await only_the_state_is_told(client, str(ran["job"]))
            for path in filled:
                path.unlink()
            after = structured(await client.call_tool("shell", {"command": "echo after"}))
        lines = (point / "state/audit/audit.jsonl").read_text()
        verify(point / "state/audit/audit.jsonl")

    assert after["stdout"] == "after\n"
    assert '"kind":"server.unrecorded","reads":3' in lines
    assert "never-ran" not in lines


async def test_on_a_disk_that_went_read_only_as_well(folder: Path) -> None:
    """As a kernel that finds an error in a file system locks it beneath whoever has files of it open."""
    with mounted("ext4", "loop,errors=remount-ro", 48 << 20) as point:
        device = subprocess.check_output(["findmnt", "-no", "SOURCE", str(point)], text=True).strip()
        trigger = Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error")
        if not os.access(trigger, os.W_OK):
            pytest.skip("this kernel lets nobody make a file system fail")
        async with connected(home_on(point, folder / "locked")) as client:
            ran = structured(await client.call_tool("shell", {"command": "echo before"}))
            trigger.write_text("1")
            await only_the_state_is_told(client, str(ran["job"]))


def home_on(point: Path, folder: Path) -> Home:
    folder.mkdir()
    return Home(folder, SETTINGS, extra={"SANDGATE_STATE_DIR": f"{point}/state"})


def fill(point: Path) -> list[Path]:
    """To the last block."""
    made = []
    for size in ("64k", "1"):
        made.append(point / f"full-{size}")
        argv = ["dd", "if=/dev/zero", f"of={made[-1]}", f"bs={size}"]
        subprocess.run(argv, check=False, capture_output=True)  # it ends where the disk does
    return made


async def only_the_state_is_told(client: Client, job: str) -> None:
    refused = await client.call_tool("shell", {"command": "echo never-ran"})
    listed = await client.call_tool("session_list", {})
    output = await client.call_tool("job_output", {"job": job})
    checked = await client.call_tool("policy_check", {"command": "sudo id"})

    assert refused.is_error
    assert "nothing runs without it" in text_of(refused)
    assert "default" in text_of(listed)
    assert "before" in text_of(output)
    assert not checked.is_error
    assert "deny" in text_of(checked).lower()
