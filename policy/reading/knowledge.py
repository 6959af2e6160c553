"""What one pass over a script leaves for the next: parsed texts, and which constructs move the shell.

A text inside a text (sh -c, eval, trap) can only be read once it has been parsed, and whether a loop's body changes the
directory it starts in is only known after it has been read. So a script is read again until nothing new turns up.
"""

from dataclasses import dataclass, field

from policy.reading.tree import Node, Tree, Unparsable


@dataclass(slots=True)
class Knowledge:
    trees: dict[str, Tree | Unparsable] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)
    moving: set[int | str] = field(default_factory=set)  # loops by identity, functions by name
    anything: bool = False  # some command changes the directory
    asked: bool = False  # a function or trap was read on the belief that none does
    stale: bool = False  # something was read on a belief that has since turned out wrong

    def anything_moves(self) -> bool:
        self.asked = True
        return self.anything

    def note_move(self) -> None:
        self.stale |= self.asked and not self.anything
        self.anything = True

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
        self.stale = self.asked = False
        self.wanted.clear()
