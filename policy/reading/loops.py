"""Loops: read once for each item where the text has few, else until a round changes nothing more."""

from abc import abstractmethod

from policy.command import Assign, SimpleCommand
from policy.reading.bounds import ITEMS, ROUNDS
from policy.reading.changes import setting
from policy.reading.context import Context
from policy.reading.flow import UNKNOWN, Flow, Outcome, astray, changing, known, stays, union
from policy.reading.functions import Functions
from policy.reading.piece import Word
from policy.reading.tree import Node, nodes, span, value
from policy.reading.variables import NUMBER, Found


class Loops(Functions):
    """for, select, while and until."""

    @abstractmethod
    def look(self, node: Node | None, context: Context, flow: Flow, *, evaluated: bool = False) -> Flow: ...

    @abstractmethod
    def expanded(self, node: Node, context: Context, flow: Flow) -> list[Word]: ...

    def again(self, node: Node, context: Context, flow: Flow) -> Outcome:
        return self._loop(node, nodes(node, "Cond"), context, flow)

    def _loop(self, node: Node, condition: list[Node], context: Context, flow: Flow) -> Outcome:
        """Read once; if its body moves the shell or changes variables, the next pass starts it with less known."""
        entry = astray(flow) if self.knowledge.loop_moves(node) else flow
        loop = (id(node), tuple(self.calling))
        entry = changing(entry, lambda now: self.knowledge.entering(loop, now))
        self.loops.append([])
        tested = self.statements(condition, context, entry) if condition else stays(entry)
        body = self.statements(nodes(node, "Do"), context, tested.either or UNKNOWN)
        after = union(entry, tested.either, body.either, *self.loops.pop())
        if not set(after) <= set(entry):
            self.knowledge.moves(node)
        self.knowledge.note_round(loop, known(entry), known(after))
        return stays(after)

    def each(self, node: Node, context: Context, flow: Flow) -> Outcome:
        loop = node.get("Loop") or {}
        for key in ("Init", "Cond", "Post"):
            flow = self.look(loop.get(key), context, flow, evaluated=True)
        for item in nodes(loop, "Items"):
            flow = self.look(item, context, flow)
        items = [word for item in nodes(loop, "Items") for word in self.expanded(item, context, flow)]
        name = value(loop.get("Name"))
        for text in [] if items else [text for variable, text in self.notes.said if variable == "@"]:
            self.notes.say(name, text)
        if not name:
            return self._loop(node, [], context, flow)
        self._sets(name, items, node, context, flow)
        held_by = [Found(item.known) if item.reason == "glob" else item.text for item in items]
        known_items = [held for held in held_by if held is not None]
        if not node.get("Select") and len(known_items) == len(items) and 0 < len(items) <= self._rounds_left():
            return self._unrolled(node, name, known_items, context, flow)
        held = NUMBER if items and all(item.counted == "1" for item in items) else None
        return self._loop(node, [], context, changing(flow, setting(name, held)))

    def _rounds_left(self) -> int:
        return ITEMS if self.rounds + ITEMS <= ROUNDS else 0

    def _unrolled(self, node: Node, name: str, items: list[str | Found], context: Context, flow: Flow) -> Outcome:
        """One reading for each item. `break` and `continue` are told apart neither here nor in _loop."""
        ends: list[Flow] = []
        for item in items:
            self.rounds += 1
            entry = self.changed(stays(flow), setting(name, item)).won
            if isinstance(item, Found):
                flow = self._loop(node, [], context, entry).either
                continue
            self.loops.append([])
            body = self.statements(nodes(node, "Do"), context, entry)
            jumps = union(*self.loops.pop())
            ends.append(jumps)
            flow = union(body.either, jumps) or UNKNOWN
        return stays(union(flow, *ends))

    def _sets(self, name: str, items: list[Word], node: Node, context: Context, flow: Flow) -> None:
        self.notes.quotes(items)
        for item in items:
            self.notes.say(name, item.begins)
        only = items[0].text if len(items) == 1 else None
        command = SimpleCommand((), "", "bare", assigns=(Assign(name, only),), span=context.span or span(node))
        self.show(command, context, flow)
