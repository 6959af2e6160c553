"""The agent's own kernel calls, in processes of the test's: each Landlock version that this kernel can stand in for."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.images.world import AGENT

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
kernel: Any = importlib.import_module("kernel")

ABI = kernel.landlock_abi()
TRY = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
import kernel
abi, allowed, denied, outsider = int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
access = kernel.Access(["/"], [allowed, "/dev"], ["/"])
ruleset = kernel.landlock_ruleset(access, abi)
kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
kernel.call(kernel.syscall(kernel.SYS_LANDLOCK_RESTRICT, ruleset, 0), "restrict")
def works(act):
    try:
        act()
    except OSError:
        return False
    return True
print(json.dumps({
    "write": works(lambda: open(allowed + "/f", "w").close()),
    "write outside": works(lambda: open(denied + "/f", "w").close()),
    "move within": works(lambda: (os.mkdir(allowed + "/d"), os.rename(allowed + "/f", allowed + "/d/f"))),
    "move out": works(lambda: os.rename(allowed + "/d/f", denied + "/f")),
    "truncate outside": works(lambda: os.truncate(denied + "/old", 0)),
    "signal outside": works(lambda: os.kill(outsider, 0)),
    "run": os.system("true") == 0,
}))
"""


@pytest.mark.promise("policy.kernel")
@pytest.mark.skipif(not ABI, reason="this kernel has no usable Landlock")
@pytest.mark.parametrize("abi", range(2, 8))
def test_each_version_holds_what_it_can(abi: int, tmp_path: Path) -> None:
    if abi > ABI:
        pytest.skip(f"this kernel has Landlock ABI {ABI}")
    allowed, denied = tmp_path / "allowed", tmp_path / "denied"
    allowed.mkdir()
    denied.mkdir()
    (denied / "old").write_text("old")
    argv = [sys.executable, "-I", "-c", TRY, str(AGENT), str(abi), str(allowed), str(denied), str(os.getpid())]

    told = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)

    assert told == {
        "write": True,
        "write outside": False,
        "move within": True,
        "move out": False,
        "truncate outside": abi < 3,
        "signal outside": abi < 6,
        "run": True,
    }


def test_a_version_without_renames_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for told, counts in ((-1, 0), (1, 0), (2, 2), (7, 7)):
        monkeypatch.setattr(kernel, "syscall", lambda *_, told=told: told)
        assert kernel.landlock_abi() == counts


def test_a_path_that_is_not_there_allows_less_and_fails_nothing() -> None:
    if not ABI:
        pytest.skip("this kernel has no usable Landlock")
    os.close(kernel.landlock_ruleset(kernel.Access(["/nowhere"], ["/nowhere/x"], []), ABI))
