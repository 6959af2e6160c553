from typing import cast

import pytest

from egress.allowlist import Allowlist
from egress.destination import Destination
from egress.line import Line
from egress.refusal import Refused
from egress.session import LARGEST_PIECE, SMALLEST_PIECE, Session, decision_ids, most_lines

HERE = Destination("a.test", 443)


def rule_of(session: Session, destination: Destination = HERE) -> str:
    with pytest.raises(Refused) as caught:
        session.admit(destination, "GET", "/")
    with pytest.raises(Refused):
        session.admit_dial(destination)
    return caught.value.refusal.rule


@pytest.mark.promise("egress.start_refused")
def test_unbound_is_refused_even_while_learning() -> None:
    assert rule_of(Session("s")) == rule_of(Session("s", learning=True)) == "egress.not_bound"


def test_what_is_bound_holds_from_then_on() -> None:
    session = Session("s")
    session.bind(Allowlist.parse(["a.test"]))
    session.admit(HERE, "GET", "/")
    session.admit_dial(HERE)

    assert rule_of(session, Destination("b.test", 443)) == "egress.not_allowed"


def test_learning_admits_what_is_on_no_list() -> None:
    session = Session("s", learning=True, allow=Allowlist())

    session.admit(HERE, "GET", "/")
    session.admit_dial(HERE)


def test_the_entry_that_admits_is_named_as_it_was_written() -> None:
    wide = {"host": "*.b.test", "methods": ["GET"]}
    session = Session("s", allow=Allowlist.parse(["A.test", wide, "*.b.test:8443", "tcp://c.test:5432"]))

    assert session.rule_of(HERE, "POST", "/") == "A.test"
    assert session.rule_of(Destination("x.b.test", 443), "GET", "/") == "*.b.test"
    assert session.rule_of(Destination("x.b.test", 8443), "POST", "/") == "*.b.test:8443"
    assert session.rule_of(Destination("c.test", 5432), "", "") == "tcp://c.test:5432"
    assert session.rule_of(Destination("d.test", 443), "GET", "/") == Session("s").rule_of(HERE, "GET", "/") == ""


def test_what_the_server_says_of_calls_is_bounded() -> None:
    assert decision_ids({"decisions": ["x" * 1000] * 1000}) == ("x" * 100,) * 50
    assert decision_ids({}) == ()


def test_many_sessions_share_what_descriptors_there_are() -> None:
    assert most_lines(1, 20_000, 128) == 128
    assert most_lines(100, 20_000, 128) == 98
    assert most_lines(1000, 1024, 128) < 8


def test_bodies_are_read_in_large_pieces_while_few_lines_could_hold_one() -> None:
    session = Session("s")
    assert session.piece == LARGEST_PIECE
    session.lines |= cast("set[Line]", set(range(100)))  # how many there are is all that is asked
    assert session.piece == SMALLEST_PIECE
