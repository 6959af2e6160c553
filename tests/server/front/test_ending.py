"""What becomes of requests that are open while their server ends."""

from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from server.front.ending import Requests

pytestmark = [pytest.mark.anyio, pytest.mark.promise("nothing.left")]
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class Open:
    """Requests that go on until they are ended, begun to be answered where their path is /sse."""

    def __init__(self) -> None:
        self.requests, self.calls = Requests(self._app), 1
        self.sent: dict[str, list[Message]] = {"/sse": [], "/call": []}

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/sse":
            await send(START)
        await anyio.sleep_forever()

    async def ask(self, method: str, path: str) -> None:
        async def send(message: Message) -> None:
            self.sent[path].append(message)

        await self.requests({"type": "http", "method": method, "path": path}, self._receive, send)

    async def _receive(self) -> Message:
        return {"type": "http.disconnect"}


async def test_who_only_listens_is_let_go_of_once_no_call_runs_and_a_call_that_runs_on_after_its_grace() -> None:
    server, order = Open(), list[str]()

    async def asked(method: str, path: str) -> None:
        await server.ask(method, path)
        order.append(path)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(asked, "POST", "/call")
        tasks.start_soon(asked, "GET", "/sse")
        await anyio.wait_all_tasks_blocked()
        server.calls = 0
        await server.requests.end(lambda: server.calls, 2.5)  # of which the stream needs a tenth

    assert order == ["/sse", "/call"]
    assert server.sent["/sse"] == [START, END]
    assert server.sent["/call"][0]["status"] == 503


async def test_while_a_call_runs_a_stream_that_may_carry_its_answer_stays() -> None:
    server, order = Open(), list[Any]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.ask, "GET", "/sse")
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(server.requests.end, lambda: server.calls, 60.0)
        await anyio.wait_all_tasks_blocked()
        order.append(list(server.sent["/sse"]))
        server.calls = 0
        while len(server.sent["/sse"]) < 2:
            await anyio.lowlevel.checkpoint()
        order.append(server.sent["/sse"])
        tasks.cancel_scope.cancel()

    assert order == [[START], [START, END]]


async def test_a_request_that_has_its_answer_already_is_sent_no_other_end() -> None:
    sent = list[Message]()

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(END)
        await anyio.sleep_forever()  # what it does behind its answer

    async def keep(message: Message) -> None:
        sent.append(message)

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    requests = Requests(answered)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(requests, {"type": "http", "method": "GET", "path": "/mcp"}, nothing, keep)
        await anyio.wait_all_tasks_blocked()
        await requests.end(lambda: 0, 0.5)

    assert sent == [START, END]
