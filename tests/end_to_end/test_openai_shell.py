"""examples/openai_shell.py under the Agents SDK's own runner and types, in a real sandbox."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.client_programs import client, printed
from tests.end_to_end.rig import Home
from tests.installed import ROOT

pytestmark = pytest.mark.timeout(300)  # the first of them may wait for what is installed


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    """The items that the model was sent for the calls of tests/clients/shell_calls.py."""
    home = Home(folder)
    argv = [*client("shell_calls"), str(ROOT / "examples"), "legacy", "default", "stdio", *home.argv]
    found = dict(json.loads(printed(home, argv).splitlines()[-1]))
    home.remove_images()
    return found


def output(told: dict[str, Any], number: int) -> list[dict[str, Any]]:
    item = told["items"][number]
    assert (item["type"], item["call_id"]) == ("shell_call_output", f"c{number}")
    return list(item["output"])


def test_each_command_has_an_entry_and_a_refusal_costs_only_itself(told: dict[str, Any]) -> None:
    ran, refused, asked, after = output(told, 0)

    assert ran == {"stdout": "one\n", "stderr": "err\n", "outcome": {"type": "exit", "exit_code": 3}}
    assert refused["outcome"] == asked["outcome"] == {"type": "exit", "exit_code": 1}
    assert "[privilege.tools]" in refused["stderr"]
    assert "sandgate approvals allow a-" in asked["stderr"]
    assert after["stdout"] == "two\n"
    assert "max_output_length" not in told["items"][0]


def test_what_is_stopped_for_its_time_keeps_what_it_wrote(told: dict[str, Any]) -> None:
    begun, after = output(told, 1)

    assert begun == {"stdout": "begun\n", "stderr": "", "outcome": {"type": "timeout"}}
    assert after["stdout"] == "after\n"
    assert told["by_hand"]["output"] == [begun, after]


def test_the_bound_on_output_is_echoed_and_shared_and_keeps_both_ends(told: dict[str, Any]) -> None:
    out, err = output(told, 2)

    assert told["items"][2]["max_output_length"] == 400
    for text in (out["stdout"], err["stderr"]):
        assert len(text) <= 200
        assert text.startswith("1\n2\n")
        assert text.endswith("1999\n2000\n")
        assert "left out" in text


def test_no_output_at_all_can_be_asked_for_and_a_signal_is_counted_as_shells_do(told: dict[str, Any]) -> None:
    (killed,) = output(told, 3)

    assert told["items"][3]["max_output_length"] == 0
    assert killed == {"stdout": "", "stderr": "", "outcome": {"type": "exit", "exit_code": 137}}


def test_a_command_that_outlasts_one_wait_is_followed_to_its_end(told: dict[str, Any]) -> None:
    (slow,) = output(told, 4)

    assert slow["stdout"] == "".join(f"{number}\n" for number in range(1, 6))
    assert slow["outcome"] == {"type": "exit", "exit_code": 4}
