from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from server.following import followed, outcome, record_end, rest
from server.record.audit import AuditFailed
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Exit
from tests.fakes import DONE, FakeCommand, FakeRecord

pytestmark = pytest.mark.anyio


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    made = Job("j1", "true", tmp_path, "d-1", lambda _: None)
    made.command = FakeCommand(made)
    yield made
    made.close()


async def test_what_is_over_at_once_is_told_of_to_nobody(job: Job) -> None:
    async def progress(job: Job) -> None:
        raise AssertionError("there was nothing to tell")

    job.ended(DONE)

    assert await followed(job, 5, progress) is DONE


async def test_what_goes_on_is_told_of_until_its_end(job: Job) -> None:
    told = list[str]()

    async def progress(job: Job) -> None:
        told.append(job.name)
        job.ended(DONE)
        await anyio.sleep_forever()

    assert await followed(job, 30, progress) is DONE
    assert told == ["j1"]


async def test_whoever_has_waited_enough_leaves_it_running(job: Job) -> None:
    async def progress(job: Job) -> None:
        await anyio.sleep_forever()

    assert await followed(job, 0.06, progress) is None
    assert outcome(job, None) == {
        "outcome": "running",
        "job": "j1",
        "exit_code": None,
        "stdout_bytes": 0,
        "stderr_bytes": 0,
    }


def test_the_making_of_a_session_is_taken_from_the_wait_but_for_a_last_second() -> None:
    assert [rest(45, 3), rest(5, 10), rest(0.5, 10), rest(0, 10)] == [42, 1, 0.5, 0]


def test_an_end_that_cannot_be_recorded_ends_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    class Full(FakeRecord):
        def write(self, kind: str, fields: Any) -> None:
            raise AuditFailed("the disk is full")

    record_end(Full(), Exit("exited", exit_code=0))

    assert "the end of a job is not recorded" in caplog.text
