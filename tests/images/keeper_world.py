"""Runs keepers as the agent does, in a kernel where one call fails. `keeper_world.py AGENT KEEPER`, cases as JSON on stdin.

A case is {"fails": [call, its first argument or null] or null, "handles": how many descriptors go with the plan, "ruled":
what the plan says of its ruleset}. For each, what ran said, what the keeper told, and how long each word of its leader was.
"""

import contextlib
import importlib
import json
import os
import select
import socket
import sys
from typing import Any

sys.path.insert(0, sys.argv[1])
kernel: Any = importlib.import_module("kernel")
spawn: Any = importlib.import_module("spawn")
spawn.KEEPER = sys.argv[2]
NOBODY = 1000
STATE = "^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|NoNewPrivs|Seccomp):"
SHOW = f"grep -hE '{STATE}' /proc/self/status; nice; echo x >/dev/zero"
LOAD, EQUAL, RETURN, REFUSED, ALLOWED = 0x20, 0x15, 0x06, 0x5000C, 0x7FFF0000  # with ENOMEM


def failing(call: int, argument: int | None) -> bytes:
    make = kernel._instruction
    checks = [] if argument is None else [make(LOAD, 16), make(EQUAL, argument, 0, 1)]
    program = [make(LOAD, 0), make(EQUAL, call, 0, len(checks) + 1), *checks, make(RETURN, REFUSED)]
    return b"".join([*program, make(RETURN, ALLOWED)])


def told(keeper: Any) -> list[Any]:
    """Until a leader is over, or it is itself."""
    heard: list[Any] = []
    keeper.hears = lambda message: heard.append(spawn.News(message) if message else None)
    while not any(news is None or news.kind == news.ENDED for news in heard):
        if not select.select([keeper.channel], [], [], 60)[0]:
            break
        keeper.hear()
    return [[news.kind, news.status] if news else "gone" for news in heard]


def run(case: dict[str, Any]) -> dict[str, Any]:
    program = failing(*case["fails"]) if case["fails"] else kernel.set_id_filter()
    keeper = spawn.Keeper(kernel.Filter(program), NOBODY, NOBODY)
    out, into = os.pipe()
    status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ruleset = kernel.landlock_ruleset(kernel.Access(["/"], ["/dev/null"], ["/"]), kernel.landlock_abi())
    plan = spawn.Plan(["/bin/sh", "-c", SHOW], {"PATH": "/usr/bin:/bin"}, "/").as_bytes(ruled=case["ruled"])
    keeper.channel.setblocking(True)
    with contextlib.suppress(BrokenPipeError):  # it was gone before
        socket.send_fds(keeper.channel, [plan], [into, into, into, theirs.fileno(), ruleset][: case["handles"]])
    for handle in (into, ruleset):
        os.close(handle)
    theirs.close()
    heard = told(keeper)
    words = list(iter(lambda: len(status.recv(64)), 0))
    keeper.channel.close()
    os.waitpid(keeper.pid, 0)
    with os.fdopen(out, encoding="ascii") as said:
        return {"ran": said.read(), "told": heard, "words": words}


sys.stdout.write(json.dumps([run(case) for case in json.load(sys.stdin)]))
