"""What people answered stands in the audit, once, also where that could not be written at first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from server import answers
from server.answers import Answers
from server.looks import Looks, looks
from server.record.approval_rows import ApprovalRows
from server.record.audit import AuditFailed
from tests.server.record.test_approval_rows import ROW
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.promise("approval.bound")


class Lines:
    def __init__(self) -> None:
        self.room, self.written = 10, list[tuple[str, Mapping[str, Any]]]()

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        if len(self.written) >= self.room:
            raise AuditFailed("no space left")
        self.written.append((kind, fields))


@pytest.mark.parametrize(
    ("state", "ends", "again", "answer"),
    [
        ("allowed", None, 0, "once"),
        ("allowed", 71.0, 1, "time"),
        ("allowed", 611.0, 2, "session"),
        ("denied", None, 0, "deny"),
    ],
)
def test_an_answer_is_a_line(tmp_path: Path, state: str, ends: float | None, again: int, answer: str) -> None:
    rows, lines = ApprovalRows(tmp_path / "sandgate.db"), Lines()
    rows.put(ROW)
    rows.answer("a-1", state, "carl", 11, ends, again)
    Answers(rows, lines.write).tell()

    (written,) = lines.written
    lasts = {"for_s": round(ends - 11)} if ends else {}
    about = {"approval": "a-1", "caller": "ann", "session": "s", "tool": "shell", "answer": answer, "by": "carl"}
    assert written == ("approval.answered", about | lasts)


@pytest.mark.parametrize("room", [0, 1])
def test_one_that_is_taken_back_is_another_line_and_each_is_written_once_also_where_the_disk_fills_between(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, room: int
) -> None:
    rows, lines = ApprovalRows(tmp_path / "sandgate.db"), Lines()
    answers = Answers(rows, lines.write)
    rows.put(ROW)
    rows.answer("a-1", "allowed", "carl", 11, 60.0, again=1)
    rows.revoke("a-1", "dora", 12)
    lines.room = room
    for _ in range(3):
        answers.tell()
    assert [record.message for record in caplog.records] == [
        "what a person answered is not in the audit yet: no space left"
    ]
    lines.room = 10
    for _ in range(2):
        answers.tell()
    assert [(line["answer"], line["by"]) for _, line in lines.written] == [("time", "carl"), ("revoke", "dora")]


class Counted(ApprovalRows):
    asked = 0

    def has_answers(self) -> bool:
        self.asked += 1
        return super().has_answers()


@pytest.mark.anyio
async def test_the_database_is_asked_where_another_process_wrote_to_it_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = list[Looks]()

    def look(files: Sequence[Path]) -> Looks:
        looked.append(looks(files))
        return looked[-1]

    monkeypatch.setattr(answers, "looks", look)
    rows, others, lines = Counted(tmp_path / "sandgate.db"), ApprovalRows(tmp_path / "sandgate.db"), Lines()
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Answers(rows, lines.write).keep, 0.002)
            for number in (1, 2):
                others.put({**ROW, "id": f"a-{number}", "bound": str(number)})
                others.answer(f"a-{number}", "allowed", "carl", 11, None)
                while len(lines.written) < number:
                    await anyio.sleep(0.002)
            asked = -1
            while asked != rows.asked:  # once more for the line itself, which is a change too
                asked, until = rows.asked, len(looked) + 20
                while len(looked) < until:
                    await anyio.sleep(0.002)
            tasks.cancel_scope.cancel()
    assert [line["approval"] for _, line in lines.written] == ["a-1", "a-2"]
