"""One command line: what the policy sees of it, and what running it leads to."""

import re
from abc import ABC, abstractmethod
from dataclasses import replace

from policy.command import Assign, Redirect, SimpleCommand
from policy.reading import shell_options as options
from policy.reading.bounds import AGAIN, NESTED_TEXTS, hides_characters, refusal
from policy.reading.changes import Change, change
from policy.reading.code_options import CODE_VARIABLES, PROMPT_VARIABLES
from policy.reading.context import DEPTH, FROM_CALL, FROM_PIPE, Context, Input
from policy.reading.databases import dictated
from policy.reading.effect import (
    Call,
    ChangeDirectory,
    DefineAlias,
    Effect,
    Effects,
    Evaluate,
    Expand,
    Jump,
    Leave,
    Run,
    RunInline,
    RunScript,
    RunStdin,
    SetVariable,
    TakeName,
    Unchanged,
)
from policy.reading.flow import UNKNOWN, Flow, Outcome, Where, astray, changing, known, resolved, stays, union
from policy.reading.heard import TELLING, handed, heard, unknown, uses_arguments
from policy.reading.hosts import hosts, urls
from policy.reading.knowledge import Knowledge
from policy.reading.launchers import fed
from policy.reading.meaning import effects
from policy.reading.naming import named
from policy.reading.notes import Notes
from policy.reading.piece import Word, static
from policy.reading.posix import PLAIN, otherwise
from policy.reading.printed import MADE
from policy.reading.surroundings import Surroundings
from policy.reading.traps import leave_variables
from policy.reading.tree import Node, Unparsable, nodes
from policy.reading.variables import LOST, NOTHING, POSITIONAL, Variables

_IDENTIFIER = re.compile(r"[A-Za-z_]")
_HOME = re.compile(r"(?<![\w$/{.-])HOME\b(?!/)|\$\{HOME:?=")
_PWD = re.compile(r"(?<![\w$/{.-])(?:OLD)?PWD\b(?!/)|\$\{PWD:?=")
_VALUE = re.compile(r"\[|(?:^|=)\s*\(")  # what a text needs in it to be taken for more than a text
_SOCKET = re.compile(r"/dev/(?:tcp|udp)/([^/]+)/")
# Names that no environment has for anything else.
_OF_SCRIPTS = re.compile(
    r"[a-z_]\w*$|[A-Z]$|TE?MP|(?!TMPDIR$)([A-Z]+_)?(TE?MP|WORK|SCRATCH|STAGING)_?(DIR|FILE|PATH|D)$", re.ASCII
)
_TEXT = "SANDGATE_TEXT"  # the delimiter of a here-document that no text holds


class Commands(ABC):
    """What statements are made of. The walk over statements is below it: nested texts lead back there."""

    def __init__(self, knowledge: Knowledge, workspaces: tuple[str, ...]) -> None:
        self.knowledge = knowledge
        self.workspaces = workspaces
        self.notes = Notes()
        self.replaced_input: Input | None = None  # by `exec < file`
        self.loops: list[list[Flow]] = []  # around us in this function; each collects where `break` left off
        self.returns: list[Flow] | None = None  # the same for `return`, None outside a function
        self.rounds = 0  # of loops that are read once for each item
        self.piping = 0  # pipes whose left side is read now

    @abstractmethod
    def statements(self, stmts: list[Node], context: Context, flow: Flow) -> Outcome: ...

    @abstractmethod
    def called(self, call: Call, context: Context, flow: Flow) -> None: ...

    @abstractmethod
    def document(self, hdoc: Node, context: Context, flow: Flow) -> None: ...

    def script(self, text: str, context: Context, flow: Flow, unread: RunScript | None = None) -> Outcome:
        """Read a whole text; one that has not been parsed yet is asked for and read in the next pass."""
        self.notes.hidden |= hides_characters(text)
        tree = self._tree(text, unread)
        if tree is not None and context.plain_sh and (found := otherwise(tree)):
            self.notes.trouble(f"sh reads {found} otherwise than bash; write `bash -c`, or leave it out")
        return stays(flow) if tree is None else self.statements(nodes(tree, "Stmts"), settled(context, text), flow)

    def invoke(
        self,
        words: tuple[Word, ...],
        assigns: tuple[Assign, ...],
        redirects: tuple[Redirect, ...],
        context: Context,
        flow: Flow,
        span: tuple[int, int],
    ) -> Outcome:
        """Show a command, then follow what it leads to."""
        if context.depth > DEPTH:
            self.notes.trouble(f"commands are wrapped deeper than {DEPTH}")
            return stays(flow)
        words = tuple(self._as_made(word) for word in words) if words and words[0].text == "rm" else words
        name, path_kind = named(words[0], flow, context.home, self.workspaces) if words else ("", "bare")
        call = Call(name or "", words)
        found = (name == "xargs" and fed(call, context.inputs.get(0))) or (effects(call) if name else ())
        found += dictated(call, context.inputs.get(0))
        sets = tuple(
            Assign(effect.name, effect.value, effect.appends, prepends=effect.prepends)
            for effect in found
            if isinstance(effect, SetVariable)
        )
        command = SimpleCommand(
            argv=tuple(word.text for word in words),
            name=name,
            path_kind=path_kind,
            dynamic=tuple("number" if word.counted else word.reason for word in words),
            known=tuple(word.counted or word.known for word in words),
            ends=tuple(word.ends for word in words) if any(word.ends for word in words) else (),
            assigns=assigns + sets,
            redirects=redirects,
            cwd=flow[0].cwd,
            via=context.via,
            span=span,
            other_cwds=_others(flow),
            elsewhere=context.elsewhere,
        )
        self.notes.command(command, once=self.rounds > 0)
        if any(command.dynamic) and (missed := unknown(words)):
            self.notes.unknown[command] = missed
        if any(command.dynamic):
            self.notes.handed.update(handed(call))
            self.notes.arguments |= uses_arguments(call, self.notes.handed)
        self._note(call, command, context)
        self._listen(call, command.assigns, context)
        return self._follow(call, found + _variables(command.assigns), context, flow, span)

    def _as_made(self, word: Word) -> Word:
        """What mktemp made, wherever rm is told of it: before it was made its name is empty, and then rm does nothing."""
        names = self.knowledge.made & self.knowledge.once if word.template else ()
        return (
            static(MADE) if any(word.template == f"${{{name}}}" and _OF_SCRIPTS.match(name) for name in names) else word
        )

    def show(self, command: SimpleCommand, context: Context, flow: Flow) -> None:
        """What runs no program, in its place."""
        cwd, others = flow[0].cwd, _others(flow)
        placed = replace(command, cwd=cwd, via=context.via, other_cwds=others, elsewhere=context.elsewhere)
        self.notes.command(placed, once=self.rounds > 0)

    def _note(self, call: Call, command: SimpleCommand, context: Context) -> None:
        self.notes.hosts |= dict.fromkeys(hosts(call))
        for assign in command.assigns:
            self.notes.hosts |= dict.fromkeys(urls(assign.value or ""))
        for redirect in command.redirects:
            self.notes.hosts |= dict.fromkeys(_SOCKET.findall(redirect.path or ""))
        self.notes.quotes(word for word in call.words if word.latent and _VALUE.search(word.begins))
        if any(assign.name == "CDPATH" for assign in command.assigns) or options.searches(call):
            self.knowledge.note_option("cdpath")
        if any(assign.name == "TMPDIR" for assign in command.assigns):
            self.knowledge.note_option("tmpdir")
        if options.keeps_last(call):
            self.knowledge.note_option("lastpipe")
        if any(assign.name == "BASH_ALIASES" for assign in command.assigns) or _unnamed_alias(call):
            self.notes.trouble("an alias is defined whose name is not known")
        if options.rereads(call):
            self.notes.trouble("an option changes which words bash makes of what follows")
        if call.name == "exec" and not call.operands and 0 in context.inputs:
            self.replaced_input = context.inputs[0]

    def _listen(self, call: Call, assigns: tuple[Assign, ...], context: Context) -> None:
        for assign in assigns:
            self.notes.say(assign.name, assign.value or "")
        if call.name in TELLING:
            for variable, text in heard(call, context, piped=self.piping > 0):
                self.notes.say(variable, text)

    def _follow(self, call: Call, found: Effects, context: Context, flow: Flow, span: tuple[int, int]) -> Outcome:
        outcome = stays(flow)
        for effect in found:
            outcome = self._apply(effect, context, outcome.either or UNKNOWN, span)
        self.called(call, context, flow)
        if self.knowledge.function_moves(call.name) or (call.name in self.notes.functions and call.name in _MOVERS):
            outcome = stays(astray(flow))
        functions = self.knowledge.functions
        if call.name == "trap" and "trap" not in functions and leave_variables(found, self.knowledge):
            return outcome
        wild = call.name in functions and self.knowledge.anything_wild()
        return self.changed(outcome, change(call, found, functions, wild=wild, inside=self.returns is not None))

    def changed(self, outcome: Outcome, how: Change) -> Outcome:
        """The same, after something was done to variables."""
        won = changing(outcome.won, how)
        after = stays(won) if outcome.won is outcome.lost else Outcome(won, changing(outcome.lost, how))
        if any(where.variables.wild for where in after.won + after.lost):
            self.knowledge.note_wild()
        return after

    def _apply(self, effect: Effect, context: Context, flow: Flow, span: tuple[int, int]) -> Outcome:
        match effect:
            case Run():
                return self._run(effect, context, flow, span)
            case RunScript():
                return self._run_script(effect, context, flow, span)
            case RunStdin():
                return self._run_stdin(effect, context, flow, span)
            case ChangeDirectory():
                return self._change(effect, context, flow)
            case Leave():
                return Outcome((), ())
            case Jump():
                return self._jump(effect, flow)
            case DefineAlias(name, code):
                self.notes.aliases[name] = None
                return self._apply(RunScript(code, "alias", "alias", later=True, lenient=True), context, flow, span)
            case Expand(text):
                self.expand(text, context, flow)
            case RunInline() | TakeName() | Evaluate() | SetVariable():
                self._remember(effect)
        return stays(flow)

    def _jump(self, effect: Jump, flow: Flow) -> Outcome:
        """Outside a loop, or a function, these only complain. How many loops `break 2` leaves is not counted."""
        frames = self.loops if not effect.function else [] if self.returns is None else [self.returns]
        for frame in frames:
            frame.append(flow)
        return Outcome((), ()) if frames else stays(flow)

    def _remember(self, effect: RunInline | TakeName | Evaluate | SetVariable) -> None:
        match effect:
            case RunInline(interpreter, code, outside):
                if not (outside and self.knowledge.trusts(outside)):
                    self.notes.inline(interpreter, code)
            case TakeName(word) | Evaluate(word):
                self._evaluate(word, always=isinstance(effect, Evaluate))
            case SetVariable():
                pass  # shown with the command

    def _run(self, effect: Run, context: Context, flow: Flow, span: tuple[int, int]) -> Outcome:
        self.knowledge.budget.spend(AGAIN * len(effect.words))
        inner = context.inside(effect.via, elsewhere=effect.elsewhere, span=span)
        start = flow if isinstance(effect.cwd, Unchanged) else self._there(effect.cwd, context, flow)
        outcome = self.invoke(effect.words, effect.assigns, (), inner, UNKNOWN if effect.elsewhere else start, span)
        if effect.replaces:
            return Outcome((), ())
        if effect.via == "time":  # the keyword does not leave this shell, the program does
            return Outcome(union(outcome.won, flow), union(outcome.lost, flow))
        return outcome if effect.via in ("builtin", "command") else stays(flow)

    def _run_script(self, effect: RunScript, context: Context, flow: Flow, span: tuple[int, int]) -> Outcome:
        if effect.code is None:
            self.notes.inline(effect.shell, None)
            return self.changed(stays(astray(flow)), Variables.gone) if effect.here else stays(flow)
        start = astray(flow) if effect.later and self.knowledge.anything_moves() else flow
        start = UNKNOWN if effect.elsewhere else start
        for argument in effect.arguments or ():
            self.notes.say("@", argument.begins)
        if not effect.here or effect.later:
            unlike = (
                effect.later or effect.lenient or effect.elsewhere
            )  # zsh does not split $x; who knows what ssh meets
            fresh = LOST if unlike else _started(effect.arguments)
            if effect.later and not (effect.lenient or effect.elsewhere):  # a trap: this very shell, at another time
                fresh = known(flow).keeping(LOST)
            start = changing(start, lambda _: fresh)
        inner = context.inside(effect.via, elsewhere=effect.elsewhere, span=span)
        if not effect.here:
            inner = replace(inner, plain_sh=effect.shell in PLAIN)
        outcome = self.script(effect.code, inner, start, effect)
        if effect.here and effect.later:
            return stays(flow if set(outcome.either) <= set(start) else union(astray(flow), outcome.either))
        return outcome if effect.here else stays(flow)

    def _run_stdin(self, effect: RunStdin, context: Context, flow: Flow, span: tuple[int, int]) -> Outcome:
        source = context.inputs.get(effect.fd) or (FROM_CALL if effect.fd == 0 else FROM_PIPE)
        source = self.replaced_input or source if source is FROM_CALL else source
        name = effect.interpreter
        if source.kind == "text" and effect.is_shell:
            document = RunScript(source.text, name, f"{name} <<", here=effect.here, elsewhere=effect.elsewhere)
            return self._run_script(document, context, flow, span)
        if source.kind == "text":
            self.notes.inline(name, source.text)
        elif source.kind == "pipe" or (source.kind == "call" and not effect.optional):
            self.notes.pipe_to_shell[name] = None
            self.notes.inline(name, None)
        return stays(flow)

    def _change(self, effect: ChangeDirectory, context: Context, flow: Flow) -> Outcome:
        self.knowledge.note_move()
        match effect.kind:
            case "back":
                won = tuple(where.moved(where.old) for where in flow)
            case "popd":
                won = tuple(where.popped() for where in flow)
            case "pushd":
                won = tuple(where.pushed(self._target(effect.target, context, where)) for where in flow)
            case "cd":
                won = tuple(where.moved(self._target(effect.target, context, where)) for where in flow)
        return Outcome(union(won), flow)

    def _there(self, word: Word, context: Context, flow: Flow) -> Flow:
        return union(tuple(where.moved(self._target(word, context, where)) for where in flow))

    def _target(self, word: Word | None, context: Context, where: Where) -> str | None:
        if word is None or word.text is None:
            return None
        if word.text == "~":
            return None if "HOME" in where.variables.changed else context.home
        searched = "cdpath" in self.knowledge.options and not word.text.startswith(("/", "./", "../"))
        return None if searched else resolved(word.text, where, None)

    def _evaluate(self, word: Word, *, always: bool) -> None:
        self.notes.latent |= word.latent
        self.notes.evaluates |= word.text is None or (always and _IDENTIFIER.search(word.text) is not None)

    def expand(self, text: str | None, context: Context, flow: Flow, *, evaluated: bool = False) -> None:
        """Find what bash would expand in a text that the parser left alone, by reading it as a here-document."""
        self.notes.rereads |= text is None
        if text is None or not ("$" in text or "`" in text):
            return
        self.notes.latent |= evaluated
        if _TEXT in text:
            self.notes.trouble("a text could not be read")
            return
        tree = self._tree(f": <<{_TEXT}\n{text}\n{_TEXT}\n", None)
        for stmt in nodes(tree or {}, "Stmts"):
            for redir in nodes(stmt, "Redirs"):
                self.document(redir.get("Hdoc") or {}, context, flow)

    def _tree(self, text: str, unread: RunScript | None) -> Node | None:
        tree = self.knowledge.trees.get(text)
        if isinstance(tree, Unparsable):
            if unread is not None and unread.lenient:
                self.notes.inline(unread.shell, text)
            else:
                self.notes.trouble(f"{unread.via}: {tree.reason}" if unread else tree.reason)
            return None
        if tree is None:
            self._want(text)
        return tree

    def _want(self, text: str) -> None:
        reason = refusal(text)
        if reason is None and len(self.knowledge.trees) + len(self.knowledge.wanted) > NESTED_TEXTS:
            reason = f"there are more than {NESTED_TEXTS} texts inside texts"
        if reason is None:
            self.knowledge.wanted[text] = None
        else:
            self.notes.trouble(reason)

    def near(self, context: Context, flow: Flow) -> Surroundings:
        variables = known(flow)
        home = None if "HOME" in variables.changed else context.home
        cwd = flow[0].cwd if len(flow) == 1 and context.pwd else None
        tmp = "tmpdir" not in self.knowledge.options
        return Surroundings(home, cwd, variables, self.knowledge.functions.keys(), tmp, self.knowledge.budget)


def _others(flow: Flow) -> tuple[str | None, ...]:
    return tuple(dict.fromkeys(where.cwd for where in flow[1:] if where.cwd != flow[0].cwd))


def _unnamed_alias(call: Call) -> bool:
    return call.name == "alias" and any(word.text is None and "=" not in word.begins for word in call.operands)


_MOVERS = frozenset(("cd", "pushd", "popd", "exit", "chdir"))


def settled(context: Context, text: str) -> Context:
    """Where a text may change HOME or PWD, `~` and $PWD are no longer ours to resolve."""
    home = None if _HOME.search(text) else context.home
    pwd = context.pwd and _PWD.search(text) is None
    return context if (home, pwd) == (context.home, context.pwd) else replace(context, home=home, pwd=pwd)


def _started(arguments: tuple[Word, ...] | None) -> Variables:
    """What a new shell knows: of our variables only what was exported, so nothing; and its arguments."""
    if arguments is None or any(word.text is None for word in arguments):
        return NOTHING
    texts = tuple(word.text for word in arguments if word.text is not None)
    variables = NOTHING.set(POSITIONAL, texts[1:])
    return variables.set("0", texts[0]) if texts else variables


def _variables(assigns: tuple[Assign, ...]) -> Effects:
    """Variables that hold a command line, and prompts, in which commands run."""
    return tuple(
        RunScript(assign.value, assign.name, f"{assign.name}=", later=True, lenient=True)
        if assign.name in CODE_VARIABLES
        else Expand(assign.value)
        for assign in assigns
        if assign.value and assign.name in CODE_VARIABLES | PROMPT_VARIABLES
    )
