import pytest

from egress.budget import BadLimits, Budget, Limits


def test_a_burst_is_free_and_then_each_waits_its_turn() -> None:
    budget = Budget(Limits(tls_per_second=10, tls_burst=3))

    assert [budget.handshake(0.0) for _ in range(5)] == [0, 0, 0, pytest.approx(0.1), pytest.approx(0.2)]
    assert budget.handshake(0.3) == 0
    assert [budget.handshake(1000.0) for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]


def test_one_that_was_refused_costs_nothing() -> None:
    budget = Budget(Limits(tls_per_second=1, tls_burst=1))
    budget.handshake(0.0)
    budget.handshake(0.0)
    budget.give_back()

    assert budget.handshake(0.0) == 1


def test_bytes_are_counted_each_way_until_there_are_no_more() -> None:
    budget = Budget(Limits(upload_mb=1))

    assert budget.up(1_000_000)
    assert budget.down(10**12)
    assert budget.spent is None
    assert not budget.up(1)
    assert "upload_mb" in str(budget.spent)


@pytest.mark.parametrize("told", [{"connections": 0}, {"tls_burst": -1}, {"unknown": 1}, {"upload_mb": "1"}])
def test_limits_that_cannot_be_meant_are_an_error(told: dict[str, object]) -> None:
    with pytest.raises(BadLimits):
        Limits.parse(told)
