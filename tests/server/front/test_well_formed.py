import json
from collections.abc import AsyncIterator

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import JSONRPCMessage, jsonrpc_message_adapter

from server.front.backlog import Backlog
from server.front.well_formed import WellFormed

pytestmark = pytest.mark.anyio
PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n'


class Written:
    def __init__(self) -> None:
        self.text = ""

    async def write(self, text: str) -> None:
        self.text += text


def message(line: str) -> JSONRPCMessage:
    return jsonrpc_message_adapter.validate_json(line, by_name=False)


async def through(*lines: str) -> tuple[list[JSONRPCMessage], list[dict[str, object]]]:
    """What the lines that pass say, and what is answered to the others."""

    async def coming() -> AsyncIterator[str]:
        for line in lines:
            yield line

    written = Written()
    passed = [said.message async for said in WellFormed(coming(), Backlog(written))]
    return passed, [json.loads(line) for line in written.text.splitlines()]


@pytest.mark.parametrize(
    ("line", "code", "number"),
    [
        ("garbage", -32700, None),
        (
            '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"shell","arguments":{"command":"\\ud800"}}}',
            -32700,
            7,
        ),
        ('{"jsonrpc":"2.0","id":"a","method":"x","params":{"n":' + "9" * 5000 + "}}", -32700, None),
        ('{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":' + "[" * 100_000 + "]" * 100_000 + "}}", -32700, None),
        ('{"jsonrpc":"2.0","id":"\\ud800"}', -32700, None),
        ("null", -32600, None),
        ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None),
        ('{"jsonrpc":"2.0","id":7}', -32600, 7),
        ('{"jsonrpc":"1.0","id":7,"method":"ping"}', -32600, 7),
        ('{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, None),
        ('{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None),
        ('{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
        ('{"jsonrpc":"2.0","id":"' + "x" * 100_000 + '"}', -32600, None),
    ],
)
async def test_what_is_no_message_is_answered_and_the_next_line_passes(line: str, code: int, number: object) -> None:
    passed, answers = await through(line, "", "  \n", PING)

    assert passed == [message(PING)]
    (answer,) = answers
    assert answer["id"] == number
    assert isinstance(error := answer["error"], dict)
    assert error["code"] == code


async def test_requests_notifications_and_answers_pass(anyio_backend_name: str) -> None:
    lines = (PING, '{"jsonrpc":"2.0","method":"x","params":{"id":1.5}}', '{"jsonrpc":"2.0","id":1,"result":{}}')
    assert await through(*lines) == (list(map(message, lines)), [])


async def test_one_is_received_and_then_the_end() -> None:
    async def coming() -> AsyncIterator[str]:
        yield PING

    messages = WellFormed(coming(), Backlog(Written()))
    assert (await messages.receive()).message == message(PING)
    with pytest.raises(anyio.EndOfStream):
        await messages.receive()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "method", "jsonrpc", "x"]), inner)
    ),
    max_leaves=6,
)
MESSAGES = st.fixed_dictionaries(
    {}, optional={"jsonrpc": st.just("2.0") | JSON, "id": JSON, "method": st.just("ping") | JSON, "params": JSON}
)


@given(
    st.one_of(MESSAGES.map(json.dumps), JSON.map(json.dumps), st.text(alphabet=st.characters(exclude_characters="\n")))
)
def test_every_line_passes_or_is_answered_with_an_error(line: str) -> None:
    passed, answers = anyio.run(through, line)

    assert len(passed) + len(answers) == (1 if line.strip() else 0)
    for kept in passed:
        jsonrpc_message_adapter.validate_python(kept)
    for answer in answers:
        jsonrpc_message_adapter.validate_python(answer)
