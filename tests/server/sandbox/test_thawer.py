import pytest

from server.sandbox.thawer import left_frozen, wake

pytestmark = pytest.mark.promise("nothing.left")


def test_what_was_frozen_and_not_woken_since_is_left() -> None:
    assert left_frozen(["frozen a\n", "frozen b\n", "thawed a\n", "frozen c\n", "thawed c\n", "frozen c\n"]) == {
        "b",
        "c",
    }


@pytest.mark.parametrize("line", ["froz", "", "frozen", "frozen a b", "anything else"])
def test_half_a_line_is_passed_over(line: str) -> None:
    assert left_frozen(["frozen a\n", line]) == {"a"}


def test_an_engine_that_is_gone_is_not_tried_for_ever() -> None:
    wake("unix:///nowhere/docker.sock", {"a"}, pause_s=0, tries=3)
