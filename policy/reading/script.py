"""From the text or argv that an agent sent to its Reading: the door of this package.

Both are generators. Each text they yield must be answered with shfmt's tree or with an Unparsable; what they return is
complete, or says in parse_error why it is not. Nothing here does I/O.
"""

import re
from collections.abc import Callable, Generator

from policy.command import Reading, ScriptFacts
from policy.reading import once
from policy.reading.bounds import PASSES, REPAIRS, TEXT_BYTES, hides_characters, refusal
from policy.reading.budget import TooMuch
from policy.reading.command_line import settled
from policy.reading.comments import repaired
from policy.reading.context import Context
from policy.reading.expansion import LEFT_OUT
from policy.reading.flow import Flow, Where
from policy.reading.knowledge import Knowledge
from policy.reading.piece import static
from policy.reading.statement import Script
from policy.reading.tree import Tree, Unparsable, disguised, revealed
from policy.reading.variables import NOTHING, Variables

type Reader = Generator[str, Tree | Unparsable, Reading]


def read_script(text: str, cwd: str, home: str, workspaces: tuple[str, ...]) -> Reader:
    """Read a script as `bash --noprofile --norc -c` would."""
    if reason := refusal(text):
        return unread(reason, text)
    variables = Variables(written=frozenset()) if _LEAVES_OUT.search(text) else NOTHING
    knowledge, flow, context = Knowledge(), (Where(cwd, variables=variables),), Context(home)
    knowledge.once = once.names(text)
    knowledge.trees[text] = yield from _parsed(text)
    return (yield from _passes(knowledge, workspaces, lambda script: script.script(text, context, flow)))


def read_argv(argv: tuple[str, ...], cwd: str, home: str, workspaces: tuple[str, ...]) -> Reader:
    """Read a command that no shell sees; what it wraps may still be shell text."""
    whole = "\n".join(argv)
    if "\0" in whole or len(whole.encode("utf-8", "surrogatepass")) > TEXT_BYTES:
        return unread(refusal(whole) or "the arguments are too long", whole)
    words = tuple(static(word) for word in argv)
    flow: Flow = (Where(cwd),)
    context = settled(Context(home), whole)

    def start(script: Script) -> object:
        script.notes.hidden |= hides_characters(whole)
        return script.invoke(words, (), (), context, flow, (0, 0))

    return (yield from _passes(Knowledge(), workspaces, start))


def unread(reason: str, text: str = "") -> Reading:
    """A reading that read nothing: what is in it is not known, so no rule may take it for harmless."""
    return Reading(script=ScriptFacts(parse_error=reason, control_chars=hides_characters(text)))


_LEAVES_OUT = re.compile(rf"\$\{{(?:{LEFT_OUT.pattern}):?[-=]")  # only here it matters whether they have been written


def _parsed(text: str) -> Generator[str, Tree | Unparsable, Tree | Unparsable]:
    """The tree of a text as bash would see it: returns are no spaces, and a comment ends with its line."""
    asked = disguised(text)
    for _ in range(REPAIRS):
        if asked is None:
            break
        tree = yield asked
        if isinstance(tree, Unparsable):
            return tree
        try:
            asked = repaired(asked, tree)
            if asked is None:
                return revealed(tree) if "\r" in text else tree
        except RecursionError:
            return Unparsable("the text is nested too deeply")
    return Unparsable("comments and control characters could not be told from commands")


def _passes(knowledge: Knowledge, workspaces: tuple[str, ...], start: Callable[[Script], object]) -> Reader:
    for _ in range(PASSES):
        script = Script(knowledge, workspaces)
        try:
            start(script)
        except RecursionError:
            return unread("the text is nested too deeply")
        except TooMuch as much:
            return unread(str(much))
        if knowledge.settled():
            found = script.finished()
            made, outside = knowledge.once, frozenset(knowledge.outside)
            if not (once.doubtful(made, found.commands) or once.written(outside, found.commands)):
                return found.reading()
            knowledge.once, knowledge.doubts = frozenset(), True
            knowledge.outside.clear()
            knowledge.made.clear()
        for text in list(knowledge.wanted):
            knowledge.trees[text] = yield from _parsed(text)
        knowledge.again()
    return unread(f"texts are nested in texts more than {PASSES} deep")
