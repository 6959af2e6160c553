"""Names that nobody answers for: the session that asks for them waits, and its neighbour does not."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.egress.world.sandbox import Sandbox
from tests.egress.world.town import Town, build


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = build(tmp_path_factory.mktemp("lookups"))
    yield made
    made.gate.close()
    made.secure.close()
    made.plain.close()


def waits(sandbox: Sandbox) -> bool:
    sandbox.sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sandbox.sock.recv(1)
        return False
    return True


@pytest.mark.promise("egress.neighbours")
def test_a_session_whose_names_nobody_answers_for_leaves_the_threads_to_its_neighbours(town: Town) -> None:
    greedy, neighbour = town.session("*.other.test:80"), town.session("allowed.test")
    where = f"dumb.other.test:{town.plain.port}"
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(greedy.dial()) for _ in range(100)]
        for line in lines:
            line.say(f"GET http://{where}/ HTTP/1.1\r\nHost: {where}\r\n\r\n")
        with neighbour.tunnel("allowed.test") as sandbox:
            assert sandbox.get(neighbour.at("allowed.test")).status == 200

        assert all(waits(line) for line in lines)
