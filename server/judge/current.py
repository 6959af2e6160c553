"""The judge in force: replaced as a whole when the operator's settings change, never half of it."""

from policy.question import Question
from policy.verdict import Verdict
from server.judge.rego import RegoJudge


class CurrentJudge:
    def __init__(self, judge: RegoJudge) -> None:
        self._judge = judge

    async def decide(self, question: Question) -> Verdict:
        return await self._judge.decide(question)

    def replace(self, judge: RegoJudge) -> None:
        """From the next question on; a question under way is answered by the judge it was put to."""
        before, self._judge = self._judge, judge
        before.close()

    def close(self) -> None:
        self._judge.close()
