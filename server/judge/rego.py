"""The embedded judge: our Rego bundle, the operator's settings, and a verdict for every question.

Our own rules are bounded by what they are asked (at most 200 commands), so they run on the event loop's thread in about
half a millisecond. With an operator's own Rego everything runs in a child process with a deadline instead: the engine
holds the GIL and cannot be interrupted, so no thread could bound it.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import anyio.to_thread

from policy.question import Question
from policy.verdict import Verdict, engine_error
from server.judge.bundle import Bundle, BundleError, read_bundle
from server.judge.decision import DECISION, HOSTS, REQUEST, HostList, OddDecision, host_list, verdict
from server.judge.engine import Engine, EngineTrouble, Evaluates
from server.judge.engine_process import EngineProcess
from server.judge.linked import in_files
from server.judge.remembered import Remembered
from server.judge.self_test import try_engine, try_rules

__all__ = ["BundleError", "RegoJudge"]

log = logging.getLogger("sandgate")

DEADLINE_S = 1.0  # for rules of an operator; ours take a thousandth of it
REMEMBERED = 128  # verdicts
REMEMBERED_CHARACTERS = 16_384  # of a question whose verdict is remembered
QUESTION_BYTES = 32 << 20  # a file_write of 16 MB with every character escaped; 0.1 s to take in


class RegoJudge:
    """Decides questions under one revision of the policy. A changed policy is a new judge."""

    def __init__(self, bundle: Bundle, deadline_s: float = DEADLINE_S, *, at_once: bool = True) -> None:
        """Loads the engine and asks it what is known. Raises BundleError.

        Not at_once: what takes long of that waits for `prove` or the first question, whichever comes first.
        """
        self._bundle = bundle
        documents = bundle.configured(bundle.settings)
        self._thread = threading.get_ident()
        self._engine: Engine | None = None
        self._child: EngineProcess | None = None
        self._proven, self._closed = False, False
        self._under_way = 0  # questions to the child
        self._remembered = Remembered[tuple[str, str], Verdict](REMEMBERED)
        try:
            if bundle.custom:
                self._child = EngineProcess(bundle.loaded(), documents, deadline_s)
            else:
                self._engine = Engine(bundle.loaded(), documents)
            try_engine(bundle, self._here())
            if at_once:
                self.prove()
        except (EngineTrouble, BundleError) as error:
            self.close()
            raise BundleError(bundle.blame(str(error))) from None

    def prove(self) -> None:
        """Ask our rules what is known, if that is still to be done; wrong ones answer nothing. Raises EngineTrouble."""
        if self._proven:
            return
        try:
            try_rules(self._bundle)
        except BundleError as error:
            raise EngineTrouble(str(error)) from None
        self._proven = True

    @classmethod
    def load(cls, bundle_dir: Path, config: Mapping[str, Any], custom: Sequence[Path] = ()) -> Self:
        """Read, check and try the bundle with these settings and the operator's own rules. Raises BundleError."""
        return cls(read_bundle(bundle_dir, config, custom))

    @property
    def revision(self) -> str:
        """16 hexadecimal digits over all rules, tables, samples and settings."""
        return self._bundle.revision

    @property
    def looks_at_requests(self) -> bool:
        return bool(self._bundle.custom)

    async def decide(self, question: Question) -> Verdict:
        """The verdict; never raises for anything that a question or an engine can be."""
        return await self._verdict(question, DECISION)

    async def decide_request(self, question: Question) -> Verdict:
        """The same of a request that leaves a sandbox (UseHost)."""
        return await self._verdict(question, REQUEST)

    async def hosts(self, question: Question) -> HostList | None:
        """What a gate holds for the caller of the question; None where there is no answer."""
        try:
            return host_list(await self._answer(question.as_json(), HOSTS), self.revision)
        except (EngineTrouble, OddDecision, ValueError) as trouble:
            log.warning("no list of hosts, so nothing leaves: %s", trouble)
            return None

    async def _verdict(self, question: Question, rule: str) -> Verdict:
        try:
            document = question.as_json()
            size = len(document.encode())
        except (TypeError, ValueError, RecursionError):
            return engine_error("The call holds text or values that cannot be judged.")
        if size > QUESTION_BYTES:
            return engine_error("The call is too large to be judged.")
        try:
            if self._child is None:
                return self._judged(document, rule)
            return verdict(await self._answer(document, rule), self.revision)
        except EngineTrouble as trouble:
            said = in_files(str(trouble), self._bundle.loaded())
            return engine_error(f"The policy engine gave no answer: {said}")

    def _judged(self, document: str, rule: str) -> Verdict:
        """By our own rules; from memory where exactly this was asked before. They know nothing but the question, with the
        caller and the session in it, and what this judge was made of: nothing that policies may call reaches a clock,
        chance or the network (rego_lint). Raises EngineTrouble, remembered or not."""
        engine = self._asked()
        if (known := self._remembered.get((rule, document))) is not None:
            return known
        found = verdict(engine.evaluate(document, rule), self.revision)
        if len(document) <= REMEMBERED_CHARACTERS:
            self._remembered.put((rule, document), found)
        return found

    def close(self) -> None:
        """No question more; the child ends after the last that was put to it already."""
        self._engine, self._closed = None, True
        if self._child is not None and not self._under_way:
            self._child.close()

    async def _answer(self, document: str, rule: str) -> Any:
        asked = self._asked()
        if self._child is None:
            return asked.evaluate(document, rule)
        self._under_way += 1
        try:
            return await anyio.to_thread.run_sync(asked.evaluate, document, rule)
        finally:
            self._under_way -= 1
            if self._closed:
                self.close()

    def _asked(self) -> Evaluates:
        """The engine, once it is proven. Raises EngineTrouble."""
        self.prove()
        return self._here()

    def _here(self) -> Evaluates:
        """The engine, on the thread it belongs to; to use or drop it on another is a panic."""
        if self._child is not None and not self._closed:
            return self._child
        if threading.get_ident() != self._thread:
            raise EngineTrouble("it was asked from another thread than the one that loaded it")
        if self._engine is None:
            raise EngineTrouble("it is closed")
        return self._engine
