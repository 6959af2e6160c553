"""Functions that run what they are handed, run() { "$@"; }: read again for each call, with its words in their places."""

from abc import abstractmethod
from dataclasses import dataclass, field

from policy.reading.command_line import Commands
from policy.reading.context import Context
from policy.reading.effect import Call
from policy.reading.flow import Flow, Outcome, changing, known
from policy.reading.knowledge import Knowledge
from policy.reading.notes import Notes
from policy.reading.tree import Node
from policy.reading.variables import LOST, NOTHING, POSITIONAL

_CALLS = 16  # of one function, that are read


@dataclass(slots=True)
class Body:
    """A body that does what its arguments say. notes: what it comes to for a caller of whom nothing is known.

    calls: that were read. told: those notes that have heard of the others.
    """

    stmt: Node
    notes: Notes
    calls: int = 0
    told: list[Notes] = field(default_factory=list)


class Functions(Commands):
    """What the script's own functions do where it calls them."""

    def __init__(self, knowledge: Knowledge, workspaces: tuple[str, ...]) -> None:
        super().__init__(knowledge, workspaces)
        self.bodies: dict[str, Body] = {}
        self.calling: list[str] = []  # functions that are read now, the innermost last

    @abstractmethod
    def statement(self, stmt: Node, context: Context, flow: Flow) -> Outcome: ...

    def defined(self, name: str, stmt: Node, found: Notes, *, wild: bool) -> None:
        """A body was read. One that does what its arguments say waits for its calls: only they tell what it does."""
        if name in self.bodies:  # by another of its bodies
            self._tell(self.bodies.pop(name))
        if _hangs_on_arguments(found):
            self.bodies[name] = Body(stmt, found)
            return
        self.notes.take(found)
        if wild:
            self.knowledge.note_wild()

    def called(self, call: Call, context: Context, flow: Flow) -> None:
        body = self.bodies.get(call.name)
        if body is None:
            return
        words = tuple(word.text for word in call.operands if word.text is not None)
        if len(words) < len(call.operands) or call.name in self.calling or body.calls == _CALLS:
            self._tell(body)
            return
        body.calls += 1
        fresh = LOST if self.knowledge.anything_wild() else NOTHING
        now = known(flow).keeping(fresh).set(POSITIONAL, words)
        self.calling.append(call.name)
        loops, returns, self.loops, self.returns = self.loops, self.returns, [], []
        self.statement(body.stmt, context.through(f"function {call.name}"), changing(flow, lambda _: now))
        self.loops, self.returns = loops, returns
        self.calling.pop()

    def finished(self) -> Notes:
        """All that was found. A function that nothing calls may be called by what is not read."""
        for body in self.bodies.values():
            if not body.calls:
                self._tell(body)
        return self.notes

    def _tell(self, body: Body) -> None:
        self.knowledge.note_wild()
        if not any(notes is self.notes for notes in body.told):
            body.told.append(self.notes)
            self.notes.take(body.notes)


def _hangs_on_arguments(found: Notes) -> bool:
    return (
        found.arguments
        or any(command.name is None and command.dynamic[0] == "param" for command in found.commands)
        or any(code.code is None for code in found.inline_code)
    )
