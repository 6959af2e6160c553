"""What the server does not read is not recorded: then nothing more is let pass."""

import asyncio
import socket
from typing import Any

import pytest
from mitmproxy.test import tflow

from egress.control import MOST_UNREAD, Control
from egress.gate import Gate
from egress.journal import Journal
from egress.refusal import Refused

pytestmark = pytest.mark.promise("egress.start_refused")


def test_a_server_that_does_not_read_is_noticed_and_forgiven() -> None:
    async def run() -> list[bool]:
        ours, theirs = socket.socketpair()
        control = await Control.over(theirs.detach())
        unheard = [control.unheard]
        control.tell({"event": "x" * MOST_UNREAD})
        control.tell({"event": "x" * MOST_UNREAD})
        unheard.append(control.unheard)
        with ours:
            ours.setblocking(False)
            async with asyncio.timeout(20):
                while control.unheard:
                    await asyncio.get_running_loop().sock_recv(ours, 1 << 20)
        unheard.append(control.unheard)
        control._writer.transport.abort()
        return unheard

    assert asyncio.run(run()) == [False, True, False]


def test_no_request_is_admitted_meanwhile() -> None:
    gate, line = Gate(Journal(lambda _: None)), Any
    gate.unrecorded = True

    with pytest.raises(Refused, match="cannot be recorded"):
        asyncio.run(gate._admitted(tflow.tflow(), line))  # type: ignore[arg-type]  # nothing of it is looked at
