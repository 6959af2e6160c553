"""The keeper as the image has it: whatever fails in it, no command runs without its rules, and it is said."""

import errno
import importlib
import io
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from server.sandbox.sandbox import AGENT_DIR
from tests.images.test_kernel import ABI
from tests.images.world import AGENT
from tests.real_engine import client

counters, jobs, spawn, wire = (importlib.import_module(name) for name in ("counters", "jobs", "spawn", "wire"))

pytestmark = [
    pytest.mark.promise("sandbox.powerless"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="calls are told apart by that machine's numbers"),
    pytest.mark.skipif(not ABI, reason="this kernel has no usable Landlock"),
]

ENDED, FULL = 0, 2
EXIT_127 = 127 << 8
NOT_RUN = {"ran": "", "told": [[ENDED, EXIT_127]], "words": [4, 8]}
GAVE_UP = [[FULL, errno.ENOMEM], "gone"]
BEFORE_A_PLAN = {
    "not dumpable": (157, 4),  # prctl
    "subreaper": (157, 36),
    "its channel is not inherited": (72, 3),  # fcntl
    "fork": (56, None),
    "recvmsg": (47, None),
}
WITH_A_PLAN = {
    "signal of its keeper's death": (157, 1),
    "setsid": (112, None),
    "setgroups": (116, None),
    "setresgid": (119, None),
    "oom score": (257, None),  # openat
    "dup2": (33, None),
    "setpriority": (141, None),
    "setresuid": (117, None),
    "capset": (126, None),
    "chdir": (80, None),
    "landlock": (446, None),
}


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with client() as api:
        made = api.create_container("sandgate/agent", "never started")
        try:
            content = b"".join(api.get_archive(made["Id"], f"{AGENT_DIR}/runtime/keeper")[0])
        finally:
            api.remove_container(made["Id"])
    folder = tmp_path_factory.mktemp("keeper")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    (folder / "keeper").chmod(0o700)
    return folder / "keeper"


def run(keeper: Path, *cases: dict[str, Any]) -> list[dict[str, Any]]:
    argv = [sys.executable, "-P", str(Path(__file__).with_name("keeper_world.py")), str(AGENT), str(keeper)]
    told = json.dumps([{"fails": None, "handles": 5, "ruled": True, **case} for case in cases])
    found: list[dict[str, Any]] = json.loads(
        subprocess.run(argv, input=told.encode(), capture_output=True, check=True, timeout=110).stdout
    )
    return found


def test_a_command_has_all_its_rules(keeper: Path) -> None:
    (told,) = run(keeper, {})

    lines = told["ran"].splitlines()
    assert [" ".join(line.split()) for line in lines[:-1]] == [
        "Uid: 1000 1000 1000 1000",
        "Gid: 1000 1000 1000 1000",
        "Groups:",
        "CapInh: 0000000000000000",
        "CapPrm: 0000000000000000",
        "CapEff: 0000000000000000",
        "NoNewPrivs: 1",
        "Seccomp: 2",
        "19",
    ]
    assert "Permission denied" in lines[-1]
    assert told["words"] == [4]


def test_what_fails_before_there_is_a_plan_is_the_keepers_end_and_said(keeper: Path) -> None:
    found = run(keeper, *({"fails": call} for call in BEFORE_A_PLAN.values()))

    told = dict(zip(BEFORE_A_PLAN, found, strict=True))
    assert told == {name: {"ran": "", "told": GAVE_UP, "words": []} for name in BEFORE_A_PLAN}


def test_what_fails_on_the_way_to_a_command_is_said_in_one_word_and_nothing_runs(keeper: Path) -> None:
    found = run(keeper, *({"fails": call} for call in WITH_A_PLAN.values()))

    told = dict(zip(WITH_A_PLAN, found, strict=True))
    assert told == dict.fromkeys(WITH_A_PLAN, NOT_RUN)


def test_a_plan_whose_ruleset_was_lost_on_the_way_is_not_run(keeper: Path) -> None:
    found = run(keeper, {"handles": 4, "ruled": True}, {"handles": 5, "ruled": False})

    assert found == [NOT_RUN] * 2


def test_a_plan_without_its_status_pipe_is_the_keepers_end(keeper: Path) -> None:
    found = run(keeper, *({"handles": handles} for handles in (1, 3)))

    assert found == [{"ran": "", "told": [[FULL, errno.EINVAL], "gone"], "words": []}] * 2


def test_a_leader_that_cannot_say_that_it_has_its_plan_invents_no_exit_code(keeper: Path) -> None:
    (told,) = run(keeper, {"fails": (1, None)})  # write

    assert told == {"ran": "", "told": [[ENDED, signal.SIGKILL]], "words": []}


@pytest.mark.promise("result.truthful")
def test_a_leader_that_was_lost_with_its_plan_is_a_command_that_never_started() -> None:
    report, status = os.pipe()
    os.close(status)
    ours, theirs = socket.socketpair()
    with ours, theirs, selectors.DefaultSelector() as selector:
        line = wire.Wire(ours)
        job = jobs.Job(7, None, line, selector, counters.Counters(), None)
        job.start = spawn.Start(report)
        job.hear_keeper(struct.pack("@iiiiqddd", ENDED, 99, signal.SIGKILL, 0, 0, 0.0, 0.0, 0.0))
        job.tend(time.monotonic())
        line.flush()

        head, body = theirs.recv(wire.HEAD.size), theirs.recv(4096)

    assert len(body) == wire.HEAD.unpack(head)[0]
    assert json.loads(body) == {"ev": "ended", "job": 7, "reason": "not_started", "errno": errno.ENOMEM}


def test_it_is_built_to_make_a_mistake_hard_to_use(keeper: Path) -> None:
    head = keeper.read_bytes()[:4096]
    (kind,) = struct.unpack_from("<H", head, 16)
    size, count = struct.unpack_from("<HH", head, 54)
    segments = dict(struct.unpack_from("<II", head, 64 + size * i) for i in range(count))

    assert kind == 3  # ET_DYN: its place in memory is another each time
    assert 0x6474E552 in segments  # PT_GNU_RELRO
    assert segments[0x6474E551] & 1 == 0  # PT_GNU_STACK, not executable
