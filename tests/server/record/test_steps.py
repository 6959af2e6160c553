"""Steps of a call: timed however they end, and the id of the call on what is logged meanwhile."""

import json
import logging

import pytest

from server.record.steps import JsonLines, Steps


def test_a_step_is_timed_also_where_it_fails() -> None:
    seen = list[tuple[str, bool]]()
    steps = Steps(lambda name, seconds: seen.append((name, seconds >= 0)))

    with steps.step("read"):
        pass
    with pytest.raises(ValueError, match="odd"), steps.step("judge"):
        raise ValueError("odd")

    assert seen == [("read", True), ("judge", True)]


def logged(message: str) -> dict[str, str]:
    record = logging.LogRecord("sandgate", logging.WARNING, "", 0, message, None, None)
    line: dict[str, str] = json.loads(JsonLines().format(record))
    return line


def test_a_log_line_of_a_call_carries_its_decision_and_no_other_does() -> None:
    steps = Steps(lambda _, __: None)

    with steps.call("d-1"):
        within = logged('it says "no"\nand more')
    after = logged("later")

    assert (within["decision_id"], within["message"], within["level"]) == ("d-1", 'it says "no"\nand more', "warning")
    assert "decision_id" not in after
