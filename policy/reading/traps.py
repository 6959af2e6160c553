"""Traps of signals run between any two commands: those that write no variable leave what is known as it is."""

import re
from collections.abc import Iterable, Mapping

from policy.reading.budget import Budget
from policy.reading.effect import Effects, RunScript
from policy.reading.expression import Default, Substitution, findings
from policy.reading.knowledge import Knowledge
from policy.reading.tree import Node, Unparsable, kind, nodes, value

# Builtins of bash: only these of all programs reach the shell's own variables.
_BUILTINS = frozenset((
    ".", "alias", "bind", "builtin", "cd", "chdir", "command", "compgen", "complete", "compopt", "coproc", "declare",
    "enable", "eval", "exec", "export", "fc", "getopts", "hash", "history", "jobs", "let", "local", "mapfile", "popd",
    "printf", "pushd", "read", "readarray", "readonly", "set", "shift", "shopt", "source", "test", "time", "trap",
    "typeset", "unalias", "unset", "wait", "[",
))  # fmt: skip
# With words that keep these from it: `[ -v a[x=1] ]` evaluates, and printf and wait are given a name.
_HARMLESS = {
    "[": re.compile(r"(?!-[vR]\n)(?:(?!\n-[vR]\n).)*", re.DOTALL),
    "printf": re.compile(r"(?![-?]).*", re.DOTALL),
    "set": re.compile(r"[-+][eux]+"),
    "test": re.compile(r"(?!-[vR]\n)(?:(?!\n-[vR]\n).)*", re.DOTALL),
    "trap": re.compile(r"-\n.*", re.DOTALL),
    "wait": re.compile(r"(?!-).*", re.DOTALL),
}
_NAME = re.compile(r"[\w./:\[+-]+", re.ASCII)
_UNKNOWN = "?"  # in the place of a word that is not written out


def leave_variables(found: Effects, knowledge: Knowledge) -> bool:
    """Whether the texts of a trap, with the functions they call, certainly write no variable.

    One that is yet to be parsed is believed until then: all is read again with it.
    """
    look = _Look(knowledge.functions, knowledge.budget)
    texts = [effect.code for effect in found if isinstance(effect, RunScript)]
    return all(
        text is not None and (text in knowledge.wanted or look.text(knowledge.trees.get(text))) for text in texts
    )


class _Look:
    def __init__(self, bodies: Mapping[str, list[Node]], budget: Budget) -> None:
        self._bodies = bodies
        self._budget = budget
        self._seen: set[str] = set()  # functions, each of which is looked at once

    def text(self, tree: Node | Unparsable | None) -> bool:
        return isinstance(tree, dict) and self.statements(nodes(tree, "Stmts"))

    def statements(self, stmts: Iterable[Node]) -> bool:
        return all(self._statement(stmt) for stmt in stmts)

    def _statement(self, stmt: Node) -> bool:
        self._budget.spend(1)
        redirects = nodes(stmt, "Redirs")
        opens = any(value(each.get("N")).startswith("{") for each in redirects)  # {name}>file
        expressions = [each for redirect in redirects for each in (redirect.get("Word"), redirect.get("Hdoc"))]
        return not opens and all(map(_only_prints, expressions)) and self._command(stmt.get("Cmd") or {})

    def _command(self, node: Node) -> bool:
        match kind(node):
            case "":
                return True
            case "CallExpr":
                return not nodes(node, "Assigns") and self._call(nodes(node, "Args"))
            case "DeclClause":
                return value(node.get("Variant")) == "local" and all(map(_is_given, nodes(node, "Args")))
            case "BinaryCmd":
                return self._statement(node["X"]) and self._statement(node["Y"])
            case "Block" | "Subshell":
                return self.statements(nodes(node, "Stmts"))
            case "IfClause":
                return self._if(node)
            case "TestClause":
                return _only_prints(node.get("X"))
            case _:
                return False

    def _if(self, node: Node) -> bool:
        other = node.get("Else")
        return self.statements((*nodes(node, "Cond"), *nodes(node, "Then"))) and (other is None or self._if(other))

    def _call(self, args: list[Node]) -> bool:
        self._budget.spend(len(args))
        name, *words = [_text(arg) for arg in args]
        if not all(map(_only_prints, args)) or not _NAME.fullmatch(name):
            return False
        if name in self._bodies:
            return self._function(name)
        harmless = _HARMLESS.get(name)
        return name not in _BUILTINS or (harmless is not None and harmless.fullmatch("\n".join(words)) is not None)

    def _function(self, name: str) -> bool:
        seen = name in self._seen
        self._seen.add(name)
        return seen or self.statements(self._bodies[name])


def _only_prints(expression: Node | None) -> bool:
    """A substitution is a process of its own, and what it does to variables ends with it."""
    return all(isinstance(finding, Substitution | Default) for finding in findings(expression))


def _is_given(argument: Node) -> bool:
    """local name or local name=value: no option, which could make it a reference to another."""
    return argument.get("Name") is not None and "Index" not in argument and _only_prints(argument)


def _text(word: Node) -> str:
    parts = [inner for part in nodes(word, "Parts") for inner in (nodes(part, "Parts") or [part])]
    plain = all(kind(part) in ("Lit", "SglQuoted") and "\\" not in value(part) for part in parts)
    return "".join(value(part) for part in parts) if plain else _UNKNOWN
