"""What a person reads before they answer."""

import pytest

from server.judge.approvals import Approval
from server.ops.approvals import shown


@pytest.mark.promise("approval.bound")
def test_the_whole_call_is_shown_and_nothing_in_it_is_obeyed() -> None:
    approval = Approval("a-1", "ann\x1b[2K", "shell", "s", "git push\n\x1b[1A\u202e", ("why\r",), 0.0, 600.0, "pending")
    text = shown(approval, 0.0)
    assert text.split("\n") == [
        r"a-1  shell by ann\x1b[2K in session s, 10 min left",
        r"    why: why\r",
        "  | git push",
        r"  | \x1b[1A\u202e",
    ]
