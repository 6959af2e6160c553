"""Names that nobody answers for: the session that asks for them waits, and its neighbour does not."""

import contextlib

import pytest

from egress.lookups import THREADS
from tests.egress.world.town import Town


@pytest.mark.promise("egress.neighbours")
def test_a_session_whose_names_nobody_answers_for_leaves_the_threads_to_its_neighbours(own_town: Town) -> None:
    greedy, neighbour = own_town.session("*.other.test:80"), own_town.session("allowed.test")
    where = f"dumb.other.test:{own_town.plain.port}"
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(greedy.dial()).say(f"GET http://{where}/ HTTP/1.1\r\nHost: {where}\r\n\r\n")
        with greedy.dial() as last:  # whose turn comes after theirs
            assert last.ask("GET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\n\r\n").status == 403
        with neighbour.tunnel("allowed.test") as sandbox:
            assert sandbox.get(neighbour.at("allowed.test")).status == 200

        assert 0 < own_town.lookups().count("dumb.other.test") < THREADS / 2
