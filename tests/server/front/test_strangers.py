"""Who has no good token makes room for who comes next; who has one is left alone."""

import pytest

from server.front.strangers import Strangers

pytestmark = pytest.mark.promise("limits.fair")


class Line:
    """A connection, as far as it matters here."""

    def __init__(self, strangers: Strangers, address: str, *, known: bool = False) -> None:
        self._strangers = strangers
        self.is_known, self.closed = known, False
        strangers.enter(self, address)

    def close(self) -> None:
        self.closed = True
        self._strangers.leave(self)


def lines(strangers: Strangers, address: str, many: int, *, known: bool = False) -> list[Line]:
    return [Line(strangers, address, known=known) for _ in range(many)]


def closed(found: list[Line]) -> list[bool]:
    return [line.closed for line in found]


def test_the_oldest_of_one_address_gives_way_and_no_other_address_does() -> None:
    strangers = Strangers(most=10, most_of_one=3)
    other = lines(strangers, "192.0.2.1", 2)
    found = lines(strangers, "192.0.2.2", 5)

    assert closed(found) == [True, True, False, False, False]
    assert closed(other) == [False, False]


def test_of_all_together_the_oldest_gives_way() -> None:
    strangers = Strangers(most=4, most_of_one=3)
    found = [Line(strangers, f"192.0.2.{number}") for number in range(6)]

    assert closed(found) == [True, True, False, False, False, False]


def test_whoever_is_known_is_never_closed_and_takes_no_place() -> None:
    strangers = Strangers(most=100, most_of_one=3)
    known = lines(strangers, "192.0.2.2", 50, known=True)
    found = lines(strangers, "192.0.2.2", 4)

    assert not any(closed(known))
    assert closed(found) == [True, False, False, False]


@pytest.mark.parametrize("proxy", ["192.0.2.2", "192.0.2.0/24"])
def test_behind_a_proxy_there_are_many_so_only_the_bound_on_all_holds(proxy: str) -> None:
    strangers = Strangers((proxy,), most=4, most_of_one=1)
    found = lines(strangers, "192.0.2.2", 5)

    assert closed(found) == [True, False, False, False, False]


def test_whoever_comes_past_the_proxy_has_the_bound_of_one_address() -> None:
    strangers = Strangers(("192.0.2.2",), most=4, most_of_one=1)

    assert closed(lines(strangers, "192.0.2.3", 2)) == [True, False]


def test_what_ended_by_itself_leaves_its_place() -> None:
    strangers = Strangers(most=10, most_of_one=2)
    first, second = lines(strangers, "192.0.2.2", 2)
    first.close()
    third = Line(strangers, "192.0.2.2")

    assert not second.closed
    assert not third.closed
