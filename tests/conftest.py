"""Shared by all tests: pure async code runs on both backends, what needs the real server on its own.

`make test` runs files in two processes, and then these, which change or count what all that use an engine share.
"""

import gc
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ALONE = {
    "security/test_disk.py": "room that others give back meanwhile hides what a sandbox takes",
    "server/ops/test_snapshots.py": "sweeps what installations left that are gone",
    "server/sandbox/test_agent_volume.py": "removes the volume that every sandbox mounts",
    "server/sandbox/test_docker_snapshots.py": "sweeps, as above",
    "server/sandbox/test_orphans.py": "sweeps containers of servers that are gone",
    "server/sandbox/test_socket_folder.py": "removes a volume of a name that is always the same",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path.relative_to(Path(__file__).parent)) in ALONE:
            item.add_marker("alone")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """An engine of Rego is put away by the thread that made it, not by whichever collects garbage next."""
    uses = item.path.parent.name in {"judge", "ops"} or not {"judge", "RegoJudge"}.isdisjoint(vars(item.module))  # type: ignore[attr-defined]  # a test's
    if uses and (nextitem is None or nextitem.path != item.path):
        gc.collect()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short, because socket paths below it are bounded; not pytest's own, which are long."""
    made = Path(tempfile.mkdtemp(prefix="sg"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
