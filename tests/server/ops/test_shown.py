import pytest

from server.ops.shown import plain, visible


@pytest.mark.promise("workspace.copy")
@pytest.mark.parametrize(
    "text", ["\x1b[2J\x1b[H", "\x9b2J", "a\rb", "\x08", "\u202egnp.exe", "\u200b", "\x00", "\udcff"]
)
def test_nothing_that_moves_the_cursor_or_turns_text_reaches_a_terminal(text: str) -> None:
    shown = visible(text)

    assert shown != text
    assert shown.isprintable()


def test_text_stays_text() -> None:
    assert visible("ünï 漢字 ok\n\tx") == "ünï 漢字 ok\n\tx"
    assert plain("a\nb\tc") == "a\\nb\\tc"
