"""What one pass over a script leaves for the next: parsed texts, and which constructs move the shell.

A text inside a text (sh -c, eval, trap) can only be read once it has been parsed, and whether a loop's body changes the
directory it starts in is only known after it has been read. So a script is read again until nothing new turns up.
"""

from dataclasses import dataclass, field

from policy.reading.budget import Budget
from policy.reading.tree import Node, Tree, Unparsable
from policy.reading.variables import Variables

type Loop = tuple[int, tuple[str, ...]]  # by identity, with the functions whose calls it is read for


@dataclass(slots=True)
class Knowledge:
    budget: Budget = field(default_factory=Budget)
    once: frozenset[str] = frozenset()  # names that only what mktemp made is given to
    made: set[str] = field(default_factory=set)  # those of them that were given it in /tmp
    outside: set[str] = field(default_factory=set)  # names that were believed to come with the environment
    doubts: bool = False  # wrongly
    trees: dict[str, Tree | Unparsable] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)
    moving: set[int | str] = field(default_factory=set)  # loops by identity, functions by name
    anything: bool = False  # some command changes the directory
    asked: bool = False  # a function or trap was read on the belief that none does
    functions: dict[str, list[Node]] = field(default_factory=dict)  # with their bodies, each that one is given
    options: set[str] = field(default_factory=set)  # "cdpath": cd looks elsewhere; "lastpipe"
    changing: dict[Loop, set[str]] = field(default_factory=dict)  # names that do not survive a round of a loop
    losing: set[Loop] = field(default_factory=set)  # loops after whose first round nothing is known of variables
    wild: bool = False  # something happens to variables that matters wherever a function is called
    waits: bool = False  # what would be wild is in a body of which it is not yet known whether anybody runs it so
    waited: bool = False  # there was something
    trusted: bool = False  # a function was read, or called, on the belief that nothing does
    stale: bool = False  # something was read on a belief that has since turned out wrong

    def anything_moves(self) -> bool:
        self.asked = True
        return self.anything

    def note_move(self) -> None:
        self.stale |= self.asked and not self.anything
        self.anything = True

    def note_option(self, name: str) -> None:
        """An option of the shell; a loop or a function may have been read before it was found."""
        self.stale |= name not in self.options
        self.options.add(name)

    def anything_wild(self) -> bool:
        self.trusted = True
        return self.wild

    def note_wild(self) -> None:
        if self.waits:
            self.waited = True
            return
        self.stale |= self.trusted and not self.wild
        self.wild = True

    def note_made(self, name: str) -> None:
        """A function may have been read before what it removes was made."""
        self.stale |= name not in self.made
        self.made.add(name)

    def trusts(self, names: frozenset[str]) -> bool:
        """Whether variables hold what the operator put there; believed until the script turns out to write one."""
        self.outside |= set() if self.doubts else names
        return not self.doubts

    def wait(self) -> tuple[bool, bool]:
        """From here on what is wild is only remembered. What was so before is for waited_for."""
        before = (self.waits, self.waited)
        self.waits, self.waited = True, False
        return before

    def waited_for(self, before: tuple[bool, bool]) -> bool:
        """Whether anything wild happened since."""
        happened, (self.waits, self.waited) = self.waited, before
        return happened

    def note_function(self, name: str, body: Node) -> None:
        bodies = self.functions.setdefault(name, [])
        if not any(body is known for known in bodies):
            self.stale = True
            bodies.append(body)

    def entering(self, loop: Loop, now: Variables) -> Variables:
        """What is known at the start of any round."""
        if loop in self.losing:
            return now.gone()
        return now.without(self.changing.get(loop, ()))

    def note_round(self, loop: Loop, before: Variables, after: Variables) -> None:
        """What a round leaves; if it is less than it started with, it is to be read again."""
        known = self.changing.setdefault(loop, set())
        lost = not before.lost and (after.lost, after.fixed, after.changed) != (
            before.lost,
            before.fixed,
            before.changed,
        )
        changed = before.differing(after) - known
        self.stale |= bool(changed) or (lost and loop not in self.losing)
        known |= changed
        if lost:
            self.losing.add(loop)

    def loop_moves(self, loop: Node) -> bool:
        return id(loop) in self.moving

    def function_moves(self, name: str | None) -> bool:
        return name in self.moving

    def moves(self, what: Node | str) -> None:
        key = what if isinstance(what, str) else id(what)
        self.stale |= key not in self.moving
        self.moving.add(key)

    def settled(self) -> bool:
        return not (self.wanted or self.stale)

    def again(self) -> None:
        self.stale = self.asked = self.trusted = False
        self.wanted.clear()
