"""The walk through a script: every statement in the order bash meets it, and where the shell may be after each."""

import re
from collections.abc import Callable, Iterator
from typing import ClassVar

from policy.command import Assign, Redirect, SimpleCommand
from policy.reading import assignment, declaration, expansion, getopt
from policy.reading.bounds import ROUNDS
from policy.reading.changes import SEES_ASSIGNMENTS, dropping, keeping, setting
from policy.reading.context import Context
from policy.reading.expression import Assignment, Default, Evaluation, PromptExpansion, RawText, Substitution, findings
from policy.reading.flow import UNKNOWN, Flow, Outcome, astray, changing, known, stays, union
from policy.reading.loops import Loops
from policy.reading.misread import loses_separators
from policy.reading.notes import Notes
from policy.reading.piece import Word, static
from policy.reading.printed import is_made
from policy.reading.redirects import facts, inputs, targets
from policy.reading.surroundings import Surroundings
from policy.reading.tree import Node, kind, literal, nodes, span, value
from policy.reading.variables import LOST, NOTHING, NUMBER, Held, OneOf, Program, Variables
from policy.reading.word import unsplit, words

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_COPROC_AMBIGUOUS = re.compile(r"\d+$|[A-Za-z_]\w*(?:\[.*\])?\+?=", re.DOTALL)


class Script(Loops):
    """One pass over a script, its nested texts included where they have been parsed."""

    def statements(self, stmts: list[Node], context: Context, flow: Flow) -> Outcome:
        outcome = stays(flow)
        for stmt in stmts:
            outcome = self.statement(stmt, context, outcome.either or UNKNOWN)
        return outcome

    def statement(self, stmt: Node, context: Context, flow: Flow) -> Outcome:
        node = stmt.get("Cmd")
        redirs = nodes(stmt, "Redirs")
        self.knowledge.budget.spend(_cost(stmt))
        for redir in redirs:
            flow = self.look(redir, context, flow)
        flow = self._opened(redirs, flow)
        if node is None or kind(node) in ("CallExpr", "DeclClause"):
            outcome = self._simple(stmt, node or {}, context, flow)
        else:
            outcome = self._compound(node, self._redirected(stmt, redirs, context, flow), flow)
        if stmt.get("Negated"):
            outcome = Outcome(outcome.lost, outcome.won)
        return stays(flow) if stmt.get("Background") else outcome

    def _opened(self, redirs: list[Node], flow: Flow) -> Flow:
        """`{name}>file` puts the number of a descriptor into a variable."""
        for name in (name.strip("{}") for redir in redirs if (name := value(redir.get("N"))).startswith("{")):
            # a subscript is arithmetic, and may assign anything
            flow = changing(flow, Variables.blank if "[" in name else dropping(name))
        return flow

    def _redirected(self, stmt: Node, redirs: list[Node], context: Context, flow: Flow) -> Context:
        """A compound command's redirections hold for all that it runs, and are shown as a command without words."""
        if not redirs:
            return context
        found = targets(redirs, self.near(context, flow))
        shown = tuple(redirect for redirect in facts(found, flow, context.home) if redirect.path or redirect.dynamic)
        if shown:
            self.show(SimpleCommand((), "", "bare", redirects=shown, span=self._span(stmt, context)), context, flow)
        return context.reading(inputs(found, context.inputs))

    def _compound(self, node: Node, context: Context, flow: Flow) -> Outcome:
        read = self._CONSTRUCTS.get(kind(node))
        if read is None:
            self.notes.trouble(f"{kind(node)} is not a construct this reader knows")
            return stays(flow)
        return read(self, node, context, flow)

    def _block(self, node: Node, context: Context, flow: Flow) -> Outcome:
        return self.statements(nodes(node, "Stmts"), context, flow)

    def _subshell(self, node: Node, context: Context, flow: Flow) -> Outcome:
        self.statements(nodes(node, "Stmts"), context, flow)
        return stays(flow)

    def _coproc(self, node: Node, context: Context, flow: Flow) -> Outcome:
        stmt = node["Stmt"]
        command = stmt.get("Cmd") or {}
        if command.get("Assigns") or any(_COPROC_AMBIGUOUS.match(_literal(arg)) for arg in nodes(command, "Args")):
            self.notes.trouble("coproc with an assignment or a descriptor is not read as bash reads it")
        self.statement(stmt, context.piped().through("coproc"), flow)
        return self.changed(stays(flow), Variables.blank)  # it names its descriptors and its process

    def _arithmetic(self, node: Node, context: Context, flow: Flow) -> Outcome:
        return stays(self.look(node.get("X"), context, flow, evaluated=True))

    def _test(self, node: Node, context: Context, flow: Flow) -> Outcome:
        return stays(self.look(node.get("X"), context, flow))

    def _binary(self, node: Node, context: Context, flow: Flow) -> Outcome:
        operator = node.get("Op")
        if operator in ("|", "|&"):
            self.piping += 1
            self.statement(node["X"], context, flow)
            self.piping -= 1
            after = self.statement(node["Y"], context.piped(self._printed(node["X"], context, flow)), flow)
            return stays(union(flow, after.either)) if "lastpipe" in self.knowledge.options else stays(flow)
        first = self.statement(node["X"], context, flow)
        second = self.statement(node["Y"], context, (first.won if operator == "&&" else first.lost) or UNKNOWN)
        if operator == "&&":
            return Outcome(second.won, union(first.lost, second.lost))
        return Outcome(union(first.won, second.won), second.lost)

    def _printed(self, stmt: Node, context: Context, flow: Flow) -> str | None:
        """What goes into a pipe, where the script itself says it."""
        near = self.near(context, flow) if _first(stmt.get("Cmd") or {}) in ("echo", "printf", "cat", "seq") else None
        return expansion.prints(stmt, near, lambda inner: words(inner, near)) if near else None

    def _if(self, node: Node, context: Context, flow: Flow) -> Outcome:
        condition = self.statements(nodes(node, "Cond"), context, flow) if node.get("Cond") else stays(flow)
        then = self.statements(nodes(node, "Then"), context, condition.won or UNKNOWN)
        other = (
            self._if(node["Else"], context, condition.lost or UNKNOWN) if node.get("Else") else stays(condition.lost)
        )
        if not node.get("Cond"):  # the last else
            return then
        return Outcome(union(then.won, other.won), union(then.lost, other.lost))

    def _case(self, node: Node, context: Context, flow: Flow) -> Outcome:
        flow = self.look(node.get("Word"), context, flow)
        for item in nodes(node, "Items"):
            self.knowledge.budget.spend(len(nodes(item, "Patterns")))
            for pattern in nodes(item, "Patterns"):
                flow = self.look(pattern, context, flow)
        ends = [flow]
        for item in nodes(node, "Items"):
            ends.append(self.statements(nodes(item, "Stmts"), context, union(*ends)).either)
        return stays(union(*ends))

    def _function(self, node: Node, context: Context, flow: Flow) -> Outcome:
        """A body may be called from anywhere, so it starts anywhere once something in the script moves the shell."""
        name = value(node.get("Name"))
        self.notes.functions[name] = None
        self.knowledge.note_function(name, node["Body"])
        entry = astray(flow) if self.knowledge.anything_moves() else flow
        known_there = known(flow).keeping(LOST if self.knowledge.anything_wild() else NOTHING)
        entry = changing(entry, lambda _: known_there)
        loops, returns, self.loops, self.returns = self.loops, self.returns, [], []
        notes, self.notes = self.notes, Notes()
        before = self.knowledge.wait()
        body = self.statement(node["Body"], context.through(f"function {name}"), entry)
        ends = union(body.either, *self.returns)
        self.loops, self.returns = loops, returns
        found, self.notes = self.notes, notes
        self.defined(name, node["Body"], found, wild=self.knowledge.waited_for(before))
        if not set(ends) <= set(entry):
            self.knowledge.moves(name)
        return stays(flow)

    def _time(self, node: Node, context: Context, flow: Flow) -> Outcome:
        """`time` before a simple command is shown and taken off like any other prefix; after a pipe it is a program."""
        stmt = node.get("Stmt") or {"Pos": node["Pos"], "End": node["End"], "Cmd": {"Type": "CallExpr"}}
        command = stmt.get("Cmd") or {}
        if kind(command) == "BinaryCmd" and command.get("Op") in ("|", "|&"):  # it is the first one's
            first = {"Pos": node["Pos"], "End": command["X"]["End"], "Cmd": {**node, "Stmt": command["X"]}}
            return self.statement({**stmt, "Cmd": {**command, "X": first}}, context, flow)
        if kind(command) != "CallExpr" or command.get("Assigns"):
            if kind(command) in ("CallExpr", "DeclClause"):
                program = SimpleCommand(
                    ("time", None), "time", "bare", ("", "param"), known=("", ""), span=self._span(node, context)
                )
                self.show(program, context, flow)
            return self.statement(stmt, context.through("time"), flow)
        if re.match(r"-(?!-$)", _first(command)):  # an option to the program, but to the keyword the name of a command
            self.statement(stmt, context.through("time"), flow)
        prefix = [literal("time", node), *([literal("-p", node)] if node.get("PosixFormat") else [])]
        return self.statement({**stmt, "Cmd": {**command, "Args": [*prefix, *nodes(command, "Args")]}}, context, flow)

    def _let(self, node: Node, context: Context, flow: Flow) -> Outcome:
        for expression in nodes(node, "Exprs"):
            flow = self.look(expression, context, flow, evaluated=True)
        self.show(
            SimpleCommand(("let",), "let", "bare", ("",), known=("",), span=self._span(node, context)), context, flow
        )
        return stays(flow)

    def _simple(self, stmt: Node, node: Node, context: Context, flow: Flow) -> Outcome:
        if way := self._forked(node, flow):
            name, texts = way
            ends = [self._simple(stmt, node, context, changing(flow, setting(name, text))) for text in texts]
            return Outcome(union(*(end.won for end in ends)), union(*(end.lost for end in ends)))
        flow = self._look_inside(node, context, flow)
        near = self.near(context, flow)
        declared = declaration.words_of(node, near) if kind(node) == "DeclClause" else None
        argv = declared or [word for arg in nodes(node, "Args") for word in words(arg, near)]
        argv = getopt.arguments(node, argv, near) if argv and argv[0].text == "eval" else argv
        assigns, after = self._assigned(nodes(node, "Assigns"), context, flow)
        while_running = self._prefixed(argv, assigns, flow)
        found = targets(nodes(stmt, "Redirs"), self.near(context, while_running))
        self.notes.arguments |= any(
            target.about.isdecimal() or target.about in self.notes.handed for _, target in found
        )
        self.notes.quotes(target for _, target in found)
        inner = context.reading(inputs(found, context.inputs))
        redirects = facts(found, flow, context.home)
        span = self._span(stmt, context)
        if not argv:
            self.invoke((), assigns, redirects, inner, flow, span)
            return self.changed(stays(after), lambda now: now)
        start = while_running
        if argv[0].text is None and (program := located(node, near)):
            argv, start = self._located(program, argv, assigns, redirects, inner, start, span)
        if argv[0].reason == "param":
            argv = [_sought(node, argv[0], near), *argv[1:]]
        return self.invoke(tuple(argv), assigns, redirects, inner, start, span)

    def _forked(self, node: Node, flow: Flow) -> tuple[str, tuple[str, ...]] | None:
        """A variable in a command's words that holds one of several texts: the command is read with each."""
        held = known(flow).held
        ways = {name: one.texts for name, one in held.items() if isinstance(one, OneOf)}
        if not ways or self.rounds >= ROUNDS:
            return None
        parts = (part for arg in nodes(node, "Args") for part in _parts(arg))
        name = next((name for part in parts if (name := value(part.get("Param"))) in ways), None)
        self.rounds += len(ways.get(name or "", ()))
        return (name, ways[name]) if name else None

    def _prefixed(self, argv: list[Word], assigns: tuple[Assign, ...], flow: Flow) -> Flow:
        """Assignments before a command are its own, or what it runs in this shell sees them: IFS too."""
        for assign in assigns:
            seen = argv and (argv[0].text in SEES_ASSIGNMENTS or argv[0].text in (None, *self.knowledge.functions))
            one = setting(assign.name, None) if seen else dropping(assign.name)
            flow = self.changed(stays(flow), one).won
        return flow

    def _located(
        self,
        program: str,
        argv: list[Word],
        assigns: tuple[Assign, ...],
        redirects: tuple[Redirect, ...],
        context: Context,
        flow: Flow,
        span: tuple[int, int],
    ) -> tuple[list[Word], Flow]:
        """`$(which x) y` runs x; where there is no x, it runs y."""
        rest = argv[1:]
        if rest and argv[0].splits and not rest[0].begins.startswith("-"):
            flow = self.invoke(tuple(rest), assigns, redirects, context, flow, span).either or UNKNOWN
        return [static(program), *rest], flow

    def _assigned(self, assigns: list[Node], context: Context, flow: Flow) -> tuple[tuple[Assign, ...], Flow]:
        """Each assignment, which the next one already sees, and what is known after them."""
        found: list[Assign] = []
        for assign in assigns:
            name, near = value(assign.get("Name")), self.near(context, flow)
            if not _NAME.fullmatch(name):  # to the parser \'x=[ is an assignment, to bash a name
                self.notes.trouble("an assignment to something that is no name")
            word = assignment.held(assign, near)
            self.notes.quotes((word,))
            self.notes.handed |= {name} if word.about.isdecimal() else set()
            bound = assignment.binding(assign, word, near)
            for text in bound if isinstance(bound, tuple) else ():
                self.notes.say(name, text)
            kept = isinstance(bound, str) and name in self.knowledge.once and is_made(bound)
            if kept:
                self.knowledge.note_made(name)
            flow = changing(flow, keeping(name, str(bound)) if kept else setting(name, bound))
            appends = assignment.appended(name, word)
            program = bound.name if isinstance(bound, Program) else None
            begins = word.begins if word.text is None and appends is None else ""
            found.append(Assign(name, program or word.text, appends, begins, assignment.prepended(name, word)))
        return tuple(found), flow

    def _look_inside(self, node: Node, context: Context, flow: Flow) -> Flow:
        """Every expression of a simple command; most words are literals and hold nothing."""
        for assign in nodes(node, "Assigns") + (nodes(node, "Args") if kind(node) == "DeclClause" else []):
            flow = self.look(assign, context, flow)
        if kind(node) == "DeclClause":
            return flow
        for arg in nodes(node, "Args"):
            if any(kind(part) not in ("Lit", "SglQuoted") for part in nodes(arg, "Parts")):
                flow = self.look(arg, context, flow)
        return flow

    def look(self, node: Node | None, context: Context, flow: Flow, *, evaluated: bool = False) -> Flow:
        """Follow what hides in an expression; what is still known of variables after it."""
        for finding in findings(node, evaluated=evaluated):
            match finding:
                case Substitution(inner, via):
                    if loses_separators(inner, self.knowledge.budget):
                        self.notes.trouble("commands behind a here-document in $(...), which bash runs together")
                    self.statements(nodes(inner, "Stmts"), self._substituted(inner, context.through(via)), flow)
                case RawText(text, in_arithmetic):
                    self.expand(text, context, flow, evaluated=in_arithmetic)
                    flow = changing(flow, Variables.blank)
                case Evaluation(name) if name and _is_number(known(flow).get(name)):
                    pass
                case Evaluation():
                    self.notes.evaluates = True
                    flow = changing(flow, Variables.blank)
                case PromptExpansion():
                    self.notes.latent = True
                case Default(name, text):
                    self.notes.say(name, text)
                    self.notes.quotes((static(text),))
                case Assignment(name):
                    self.show(SimpleCommand((), "", "bare", assigns=(Assign(name, None),)), context, flow)
                    flow = self.changed(stays(flow), setting(name, None)).won
        return flow

    def _substituted(self, node: Node, context: Context) -> Context:
        """>(...) reads what is written to it."""
        return context.piped() if node.get("Op") == ">(" else context

    def document(self, hdoc: Node, context: Context, flow: Flow) -> None:
        self.look(hdoc, context, flow)

    def expanded(self, node: Node, context: Context, flow: Flow) -> list[Word]:
        return words(node, self.near(context, flow))

    def _span(self, node: Node, context: Context) -> tuple[int, int]:
        return context.span or span(node)

    _CONSTRUCTS: ClassVar[dict[str, Callable[["Script", Node, Context, Flow], Outcome]]] = {
        "ArithmCmd": _arithmetic,
        "BinaryCmd": _binary,
        "Block": _block,
        "CaseClause": _case,
        "CoprocClause": _coproc,
        "ForClause": Loops.each,
        "FuncDecl": _function,
        "IfClause": _if,
        "LetClause": _let,
        "Subshell": _subshell,
        "TestClause": _test,
        "TimeClause": _time,
        "WhileClause": Loops.again,
    }


def _cost(stmt: Node) -> int:
    """By length for what holds no statements of its own."""
    start, end = span(stmt)
    return 1 if kind(stmt.get("Cmd") or {}) in _HOLDING else 1 + (end - start) // 8


_HOLDING = frozenset((
    "BinaryCmd", "Block", "CaseClause", "CoprocClause", "ForClause", "FuncDecl", "IfClause", "Subshell", "TimeClause",
    "WhileClause",
))  # fmt: skip


def located(node: Node, near: Surroundings) -> str | None:
    """The program behind a first word such as `$(which x)`."""
    args = nodes(node, "Args")
    return expansion.located(args[0], near, lambda inner: words(inner, near)) if args else None


def _is_number(held: Held | None) -> bool:
    return held is NUMBER or (isinstance(held, str) and held.isascii() and held.isdecimal())


def _parts(word: Node) -> Iterator[Node]:
    for part in nodes(word, "Parts"):
        yield part
        yield from nodes(part, "Parts") if kind(part) == "DblQuoted" else ()


def _sought(node: Node, first: Word, near: Surroundings) -> Word:
    """`$t` where a glob found it: split or not, it begins with the folder that the glob names."""
    found = [unsplit(arg, near) for arg in nodes(node, "Args")[:1]]
    return next((word for word in found if word.reason == "glob"), first)


def _first(command: Node) -> str:
    return next((_literal(arg) for arg in nodes(command, "Args")), "")


def _literal(word: Node) -> str:
    """The text of a word, quotes and expansions left out."""
    return "".join(value(part) for part in nodes(word, "Parts"))
