"""The judge in force: replaced as a whole when the operator's settings change, never half of it."""

from typing import Protocol

from policy.question import Question
from policy.verdict import Verdict


class Decides(Protocol):
    @property
    def revision(self) -> str: ...

    async def decide(self, question: Question) -> Verdict: ...

    def close(self) -> None: ...


class CurrentJudge:
    def __init__(self, judge: Decides) -> None:
        self._judge = judge

    @property
    def revision(self) -> str:
        return self._judge.revision

    async def decide(self, question: Question) -> Verdict:
        return await self._judge.decide(question)

    def replace(self, judge: Decides) -> None:
        """From the next question on; a question under way is answered by the judge it was put to."""
        before, self._judge = self._judge, judge
        before.close()

    def close(self) -> None:
        self._judge.close()
