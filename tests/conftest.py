"""Shared by all tests: pure async code runs on asyncio and trio, what drives the real thing on the one that knows it.

`make test` runs files in two processes, and then those of ALONE, which change or count what all that use an engine share.
What fails is tried once more, three in a run at most, and shown with its traceback at the end of it, as a thing to mend: of
nine thousand tests that drive real engines one meets a bad moment of the machine. Of the walls (security, egress, policy)
that is so only for a wait that ran out: an attack that works once has worked. --fail-on-flaky fails all of them.
"""

import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import playwright.async_api
import pytest
from hypothesis import HealthCheck, settings

from tests.folders import short_folder

# How long an example takes, or takes to be made up, says how busy the machine is and nothing about what is tested.
# And they are the same in every run: what fails, fails for all. `pytest --hypothesis-profile=default` makes up others.
settings.register_profile("unhurried", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

ALONE = {
    "security/test_disk_unseen.py": "room that others free meanwhile hides what cannot be weighed",
    "server/ops/test_bridge_device.py": "compares the devices of the machine, which a container with a bridge changes",
    "server/ops/test_private_engine.py": "the same, and the firewall's rules",
    "server/ops/test_snapshots.py": "sweeps what installations left that are gone",
    "server/sandbox/test_agent_volume.py": "removes the volume that every sandbox mounts",
    "server/sandbox/test_docker_snapshots.py": "sweeps, as above",
    "server/sandbox/test_orphans.py": "sweeps containers of servers that are gone",
    "server/sandbox/test_socket_folder.py": "removes a volume of a name that is always the same",
}

WAITS = (TimeoutError, subprocess.TimeoutExpired, httpx.TimeoutException, playwright.async_api.TimeoutError)
REAL = {"conformance", "end_to_end", "security", "soak"}  # folders whose tests drive a real server or sandbox
WALLS = {"security", "egress", "policy"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(Path(__file__).parent)
        if str(path) in ALONE:
            item.add_marker("alone")
        item.add_marker(pytest.mark.flaky(reruns=1, condition=_ran_out if path.parts[0] in WALLS else True))
    items[:] = [item for item in items if not (_on_trio(item) and _is_for_asyncio_alone(item))]


def _ran_out(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_ran_out, error.exceptions))
    return isinstance(error, WAITS) or str(error).startswith("Timeout (>")  # the limit of a test as a whole


def _on_trio(item: pytest.Item) -> bool:
    called = getattr(item, "callspec", None)  # where a test has parameters at all
    return called is not None and called.params.get("anyio_backend") == "trio"


def _is_for_asyncio_alone(item: pytest.Item) -> bool:
    return item.path.parent.name in REAL or item.get_closest_marker("asyncio_alone") is not None


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """An engine of Rego is put away by the thread that made it, not by whichever collects garbage next."""
    uses = item.path.parent.name in {"judge", "ops"} or not {"judge", "RegoJudge"}.isdisjoint(vars(item.module))  # type: ignore[attr-defined]  # a test's
    if uses and (nextitem is None or nextitem.path != item.path):
        gc.collect()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One for all tests of a file."""
    with short_folder() as made:
        yield made


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """One for one test."""
    with short_folder() as made:
        yield made


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
