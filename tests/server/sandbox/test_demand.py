from dataclasses import replace

from server.sandbox.demand import Demand
from tests.clock import Clock
from tests.fakes import SPEC

OTHER = replace(SPEC, image="sandgate/base:older")


def test_nothing_is_wanted_of_what_nobody_asked_for() -> None:
    assert Demand(1).wanted(SPEC) == 0


def test_what_was_asked_for_once_is_wanted_for_good() -> None:
    demand = Demand(2, clock=(clock := Clock()))
    demand.claimed(SPEC)
    clock.now = 1e6

    assert demand.wanted(SPEC) == 2


def test_a_burst_is_followed_up_to_the_most_and_then_forgotten() -> None:
    demand = Demand(1, most=8, recent_s=30, clock=(clock := Clock()))
    for second in range(5):
        clock.now = second
        demand.claimed(SPEC)
    followed = demand.wanted(SPEC)
    for _ in range(20):
        demand.claimed(SPEC)
    bounded = demand.wanted(SPEC)
    clock.now = 40.0

    assert (followed, bounded, demand.wanted(SPEC)) == (5, 8, 1)


def test_an_environments_former_kind_is_wanted_no_more_once_its_claims_are_old() -> None:
    demand = Demand(1, recent_s=30, clock=(clock := Clock()))
    demand.claimed(OTHER)
    demand.claimed(SPEC)
    both = demand.wanted(OTHER), demand.wanted(SPEC)
    clock.now = 40.0

    assert both == (1, 1)
    assert (demand.wanted(OTHER), demand.wanted(SPEC)) == (0, 1)


def test_an_environment_may_have_a_number_of_its_own_also_none() -> None:
    data = replace(SPEC, environment="data")
    demand = Demand(1, {"data": 3, "base": 0})
    for spec in (SPEC, data):
        demand.claimed(spec)

    assert (demand.wanted(SPEC), demand.wanted(data)) == (0, 3)
