"""The facts of this machine, as a bench's figures carry them."""

import os
import platform

from server.ops.measures.machine import facts
from server.sandbox.bare_engine import BareEngine
from tests.real_engine import engine_url


def test_a_machine_is_described_by_what_its_figures_depend_on() -> None:
    with BareEngine.at(engine_url()) as bare:
        found = facts(bare)

    assert (found["cpus"], found["kernel"]) == (str(os.cpu_count()), ".".join(platform.release().split(".")[:2]))
    assert float(found["load"]) >= 0
    assert all(found.values())
