"""Names that nobody answers for: the session that asks for them waits, and its neighbour does not."""

import contextlib

import pytest

from tests.egress.world.sandbox import Sandbox
from tests.egress.world.town import Town


def waits(sandbox: Sandbox) -> bool:
    sandbox.sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sandbox.sock.recv(1)
        return False
    return True


@pytest.mark.promise("egress.neighbours")
def test_a_session_whose_names_nobody_answers_for_leaves_the_threads_to_its_neighbours(own_town: Town) -> None:
    greedy, neighbour = own_town.session("*.other.test:80"), own_town.session("allowed.test")
    where = f"dumb.other.test:{own_town.plain.port}"
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(greedy.dial()) for _ in range(100)]
        for line in lines:
            line.say(f"GET http://{where}/ HTTP/1.1\r\nHost: {where}\r\n\r\n")
        with neighbour.tunnel("allowed.test") as sandbox:
            assert sandbox.get(neighbour.at("allowed.test")).status == 200

        assert all(waits(line) for line in lines)
