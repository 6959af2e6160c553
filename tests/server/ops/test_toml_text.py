import pytest

from server.ops.toml_text import NotToml, put, read, take

OURS: dict[str, object] = {"command": "/bin/sandgate", "args": ["serve", "--stdio"], "env": {"A": "b"}}
COMMENTED = """\
model = "o"   # the good one

[mcp_servers.a]
command = 'a' # mine

[mcp_servers.a.env]
X = "y"

[tui]
z = 1
"""


@pytest.mark.parametrize(
    "text",
    [
        COMMENTED,
        "",
        "# only a comment\n",
        '[mcp_servers]\na = {command = "x"}\n',
        "a = 1\r\n[b]\r\nc = 2\r\n",
    ],
)
def test_a_table_is_put_in_and_taken_out_and_everything_else_stays(text: str) -> None:
    after = put(text, "mcp_servers", "ours", OURS)

    assert read(after) == {**read(text), "mcp_servers": {**read(text).get("mcp_servers", {}), "ours": OURS}}
    assert after.startswith(text)
    assert after.count("\n") == after.count("\r\n") or "\r" not in text
    assert take(after, "mcp_servers", "ours") == text


def test_a_table_that_is_there_is_replaced() -> None:
    once = put(COMMENTED, "mcp_servers", "ours", OURS)
    again = put(once, "mcp_servers", "ours", {**OURS, "command": "/other"})

    assert again == once.replace("/bin/sandgate", "/other")


def test_what_is_not_toml_is_refused() -> None:
    with pytest.raises(NotToml):
        read("a = [")
