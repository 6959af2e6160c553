"""A client on stdio that writes and never reads: the server stops taking its requests, and answers them all once it reads."""

import json
import os
import re
import select
from pathlib import Path

import pytest

from tests.end_to_end.rig import Home, RawServer

pytestmark = pytest.mark.promise("limits.fair")

MOST = 40_000  # requests; what lies in the pipes and in the server at its bound is a tenth of that
QUIET_MS = 1_500
MOST_GROWN_KB = 60 * 1024  # it was half a gigabyte


def resident_kb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


def test_who_does_not_read_is_not_read_from(folder: Path) -> None:
    raw = RawServer.start(Home(folder))
    assert raw.process.stdin is not None
    into, before, sent, rest = raw.process.stdin.fileno(), resident_kb(raw.process.pid), 0, b""
    os.set_blocking(into, False)
    writable = select.poll()
    writable.register(into, select.POLLOUT)
    while sent < MOST and (rest or writable.poll(QUIET_MS)):
        if not rest:
            sent += 1
            rest = json.dumps({"jsonrpc": "2.0", "id": sent, "method": "tools/list"}).encode() + b"\n"
        if not writable.poll(QUIET_MS):
            break
        rest = rest[os.write(into, rest) :]
    grown = resident_kb(raw.process.pid) - before
    whole = sent - bool(rest)

    for number in range(1, whole + 1):
        assert "result" in raw.message_for(number)
    os.set_blocking(into, True)
    if rest:
        raw.process.stdin.write(rest)
    raw.process.stdin.close()
    assert raw.wait() == 0
    assert whole < MOST
    assert grown < MOST_GROWN_KB
