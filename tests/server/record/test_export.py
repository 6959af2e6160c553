"""The audit on its way elsewhere: nothing is lost silently, nobody waits for it."""

import logging
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from server.record.audit import Audit
from server.record.collector import Collector, Poster
from server.record.export import Export
from server.record.reading import lines
from server.record.sink import Lost, native
from server.record.trail import Line, Trail
from tests.server.record.receivers import Posts, collector, documents, written
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone, pytest.mark.promise("audit.exported")]


@asynccontextmanager
async def exporting(audit: Audit, path: Path, url: str, backlog: int = 1 << 30) -> AsyncGenerator[Export]:
    made = Export("far", Collector(native, Poster(url, None, None)), Trail(path), backlog, audit.write)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.keep)
        yield made
        tasks.cancel_scope.cancel()
    made.close()


async def received(posts: Posts, count: int) -> list[dict[str, Any]]:
    def all_of() -> list[dict[str, Any]]:
        return [made for _, body in posts.heard.messages for made in documents(body)]

    await eventually(lambda: len(all_of()) >= count)
    return all_of()


def numbers(found: list[dict[str, Any]]) -> list[int]:
    return [line["sequence"] for line in found]


async def test_what_a_server_did_not_send_the_next_one_sends_and_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path, "interval")
    with collector() as posts:
        for count in (3, 7):
            async with exporting(audit, path, posts.url) as export:
                while audit.head.sequence < count:
                    audit.write("server.note", {})
                await received(posts, count)
                await export.catch_up(count)  # the other end has them before that is written down here
            audit.write("server.note", {})  # while nobody sends
        async with exporting(audit, path, posts.url):
            assert numbers(await received(posts, 8)) == list(range(1, 9))
    audit.close()


async def test_of_two_servers_one_sends(tmp_path: Path) -> None:
    path = written(tmp_path, 5)
    audit = Audit(path, "interval")
    with collector() as posts:
        async with exporting(audit, path, posts.url) as one:
            await received(posts, 5)
            async with exporting(audit, path, posts.url) as two:
                audit.write("server.note", {})
                assert numbers(await received(posts, 6)) == [1, 2, 3, 4, 5, 6]
                assert (one._lock >= 0, two._lock >= 0) == (True, False)
    audit.close()


async def test_a_collector_that_is_down_costs_no_call_anything_and_gets_it_all_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path, "interval")
    with collector() as posts:
        posts.status = 503
        async with exporting(audit, path, posts.url):
            audit.write("server.note", {})
            await eventually(lambda: posts.refused)
            for _ in range(50):
                audit.write("server.note", {})
            posts.status = 200
            assert numbers(await received(posts, 51)) == list(range(1, 52))
    audit.close()

    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert told[0].startswith("the audit is not sent to far just now: ")
    assert "answers 503" in told[0]


def dropped(path: Path) -> list[Mapping[str, Any]]:
    return [line for _, line in lines(path) if line["kind"] == "server.export_dropped"]


async def test_what_is_passed_over_is_said_in_the_audit_itself(tmp_path: Path) -> None:
    path = written(tmp_path, 100)
    audit = Audit(path, "interval")
    with collector() as posts:
        async with exporting(audit, path, posts.url, backlog=4000):
            found = await received(posts, 10)
            await eventually(lambda: dropped(path))
    audit.close()

    (said,) = dropped(path)
    assert (said["first"], said["last"]) == (1, found[0]["sequence"] - 1)
    assert (said["lines"], said["to"]) == (said["last"], "far")


async def test_what_a_collector_refuses_for_good_is_said_once_and_not_of_the_saying_too(tmp_path: Path) -> None:
    path = written(tmp_path, 3)
    audit = Audit(path, "interval")
    with collector() as posts:
        posts.status = 400
        async with exporting(audit, path, posts.url) as export:
            with anyio.fail_after(PATIENCE_S):
                while export.trail.sequence < 4 or export._held:
                    await anyio.sleep(0.05)
    audit.close()

    assert [(said["lines"], said["reason"]) for said in dropped(path)] == [(3, "the collector answers 400")]


async def test_a_step_that_was_left_alone_opens_nothing_once_it_is_closed(tmp_path: Path) -> None:
    path = written(tmp_path, 3)
    audit, entered, goes_on = Audit(path, "interval"), threading.Event(), threading.Event()

    class Slow(Collector):
        def send(self, lines: Sequence[Line]) -> Lost:
            entered.set()
            goes_on.wait(PATIENCE_S)
            return Lost(len(lines))

    export = Export("far", Slow(native, Poster("http://127.0.0.1:1", None, None)), Trail(path), 1 << 30, audit.write)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(export.keep)
        await eventually(entered.is_set)
        tasks.cancel_scope.cancel()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, export.close)
        await anyio.wait_all_tasks_blocked()
        goes_on.set()

    assert not export._step()
    assert export._lock == -1
    assert export.trail._file is None
    audit.close()
