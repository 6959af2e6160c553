from egress.cause import Cause
from egress.destination import Destination
from egress.flight import Flight


def test_a_flight_counts_what_streams_by_and_changes_nothing() -> None:
    flight = Flight(Destination("a.test", 443), "https", "PUT", "/x", Cause(("d-1",), "only_job"))

    assert (flight.up(b"abc"), flight.up(b""), flight.down(b"defgh")) == (b"abc", b"", b"defgh")
    facts = flight.facts(201)
    assert (facts.bytes_up, facts.bytes_down, facts.status, facts.host, facts.port) == (3, 5, 201, "a.test", 443)
    assert facts.duration_ms >= 0
