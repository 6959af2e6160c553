"""The judge in force: replaced as a whole when the operator's settings change, never half of it."""

from typing import Protocol

from policy.question import Question
from policy.verdict import Verdict
from server.judge.decision import HostList


class Decides(Protocol):
    @property
    def revision(self) -> str: ...

    @property
    def looks_at_requests(self) -> bool: ...

    async def decide(self, question: Question) -> Verdict: ...

    async def decide_request(self, question: Question) -> Verdict: ...

    async def hosts(self, question: Question) -> HostList | None: ...

    def close(self) -> None: ...


class CurrentJudge:
    def __init__(self, judge: Decides) -> None:
        self._judge = judge

    @property
    def revision(self) -> str:
        return self._judge.revision

    @property
    def looks_at_requests(self) -> bool:
        """Whether there may be rules of an operator's that tell one request to a host from another."""
        return self._judge.looks_at_requests

    async def decide(self, question: Question) -> Verdict:
        return await self._judge.decide(question)

    async def decide_request(self, question: Question) -> Verdict:
        return await self._judge.decide_request(question)

    async def hosts(self, question: Question) -> HostList | None:
        return await self._judge.hosts(question)

    def replace(self, judge: Decides) -> None:
        """From the next question on; a question under way is answered by the judge it was put to."""
        before, self._judge = self._judge, judge
        before.close()

    def close(self) -> None:
        self._judge.close()
