"""The embedded Rego engine: regorus, interpreter only, JSON in and JSON out. The one module that knows it.

It holds the GIL while it evaluates and cannot be interrupted, so only our own bounded rules run in this process. Rules
that an operator wrote run in a child: this file, started as a program, which the kernel ends at its deadline.
An engine belongs to the thread that made it; another thread's use is a panic.
"""

import json
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import regorus

ADDRESS_BYTES = 3 << 30  # of the child: its allocator reserves 1 GiB before it uses any, and 14 MB are used
_BACKTRACE = ("Stack backtrace", "Stack backtrack")


class EngineTrouble(Exception):
    """The engine could not load or evaluate; the text is one sentence, with file and line where it gives them."""


class Evaluates(Protocol):
    """What answers questions: an engine here, or one in a process of its own."""

    def evaluate(self, question: str, rule: str) -> Any: ...


class Engine:
    """One interpreter with its rules and data."""

    def __init__(
        self, modules: Mapping[str, str], documents: Sequence[Mapping[str, Any]], *, covering: bool = False
    ) -> None:
        """`modules` are texts by file name; `documents` are merged into `data`. Raises EngineTrouble.

        covering: keep count of the lines that evaluations reach.
        """
        self._engine = regorus.Engine()
        self._engine.set_enable_coverage(covering)
        try:
            for name, text in modules.items():
                self._engine.add_policy(name, text)
            for document in documents:
                self._engine.add_data_json(json.dumps(document, ensure_ascii=False))
        except BaseException as error:  # noqa: BLE001  # a panic of the engine is no Exception
            raise _translated(error) from None

    def evaluate(self, question: str, rule: str) -> Any:
        """The value of `rule` for a question in JSON. Raises EngineTrouble, for undefined too."""
        try:
            self._engine.set_input_json(question)
            answer = json.loads(self._engine.eval_rule_as_json(rule))
        except BaseException as error:  # noqa: BLE001  # a panic of the engine is no Exception
            raise _translated(error) from None
        if answer == "<undefined>":
            raise EngineTrouble(f"{rule} is undefined for this question")
        return answer

    def reached(self) -> list[tuple[str, list[int], list[int]]]:
        """Of each module the lines that evaluations have reached, and those they could have."""
        report = json.loads(self._engine.get_coverage_report_as_json())
        return [(file["path"], file["covered"], file["not_covered"]) for file in report["files"]]

    def syntax(self) -> Any:
        """The syntax trees of all modules, in the order they were added. Raises EngineTrouble."""
        try:
            return json.loads(self._engine.get_ast_as_json())
        except BaseException as error:  # noqa: BLE001  # a panic of the engine is no Exception
            raise _translated(error) from None


def _translated(error: BaseException) -> EngineTrouble:
    """A panic is a BaseException of its own making, so everything is caught; what ends the program is passed on."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        raise error
    return EngineTrouble(_sentence(str(error)))


def _sentence(text: str) -> str:
    for mark in _BACKTRACE:
        text = text.partition(mark)[0]
    lines = [line.strip() for line in text.splitlines()]
    place = next((line.removeprefix("--> ") for line in lines if line.startswith("--> ")), "")
    what = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), "")
    said = what or " ".join(line for line in lines if line) or "the engine gave no reason"
    return f"{place}: {said}" if place else said


def _serve() -> None:
    """Answer questions, a line each, until standard input ends. The first line holds rules, data and the deadline."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # where memory runs short, this process is the one to go
        Path("/proc/self/oom_score_adj").write_text("1000")
    engine, deadline_s = None, 0.0
    answer: dict[str, Any]
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if engine is None:
                deadline_s = float(request["deadline_s"])
                engine = Engine(request["modules"], request["documents"])
                answer = {"result": True}
            else:
                signal.setitimer(signal.ITIMER_REAL, deadline_s)  # SIGALRM ends us, in the middle of a loop as well
                answer = {"result": engine.evaluate(request["question"], request["rule"])}
                signal.setitimer(signal.ITIMER_REAL, 0)
        except EngineTrouble as trouble:
            signal.setitimer(signal.ITIMER_REAL, 0)
            answer = {"trouble": str(trouble)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
