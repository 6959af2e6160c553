from egress.cause import Cause
from egress.destination import Destination
from egress.flight import TOLD_EVERY, Flight


def test_a_flight_counts_what_streams_by_and_changes_nothing() -> None:
    flight = Flight(Destination("a.test", 443), "https", "PUT", "/x", Cause(("d-1",), "only_job"))

    assert (flight.up(b"abc"), flight.up(b""), flight.down(b"defgh")) == (b"abc", b"", b"defgh")
    facts = flight.facts(201)
    assert (facts.bytes_up, facts.bytes_down, facts.status, facts.host, facts.port) == (3, 5, 201, "a.test", 443)
    assert facts.duration_ms >= 0


def test_what_goes_on_is_told_of_before_it_is_over() -> None:
    heard = list[tuple[int, int]]()
    flight = Flight(
        Destination("a.test", 443),
        "https",
        "PUT",
        "/x",
        Cause(("d-1",), "only_job"),
        sending=lambda flight: heard.append((flight.bytes_up, flight.told_up)),
    )
    half = bytes(TOLD_EVERY // 2)
    for _ in range(5):
        flight.up(half)

    assert heard == [(TOLD_EVERY, 0), (2 * TOLD_EVERY, TOLD_EVERY)]
    assert flight.facts(200).told_up == 2 * TOLD_EVERY
