"""Texts of one line in which every word stands for itself: more than half of what agents run. No process reads them.

Nothing is judged: a text is plain if it is made of the characters and signs below and of nothing else. Its tree is then
the one that shfmt gives, to the last position; a text that does not match as a whole is shfmt's to read.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from policy.reading.tree import Node, Tree

BYTES: Final = 400  # of a text that is read here: nobody else is answered in between
_BARE: Final = r"[\w./:,@%+=~*?{}-]+"
_SINGLE: Final = r"'[ -&(-~]*'"
_DOUBLE: Final = r'"[ #%-\[\]-_a-~]*"'  # without ! " $ \ and `
_PART: Final = re.compile(rf"{_BARE}|{_SINGLE}|{_DOUBLE}", re.ASCII)
_TOKEN: Final = re.compile(
    rf"(?:(?P<word>(?:{_BARE}|{_SINGLE}|{_DOUBLE})++)(?![<>])|(?P<into>\d?(?:>>|>&|[<>]))|(?P<sign>&&|\|\||[|;])) *",
    re.ASCII,
)
_PROGRAM: Final = re.compile(r"[\w./:+-]+", re.ASCII)
_KEYWORDS: Final = frozenset((
    "case", "coproc", "declare", "do", "done", "elif", "else", "esac", "export", "fi", "for", "function", "if", "in",
    "let", "local", "nameref", "readonly", "select", "then", "time", "typeset", "until", "while",
))  # fmt: skip


class _Token(NamedTuple):
    """kind: a word, into what a redirection leads, or a sign between commands."""

    kind: str
    text: str
    start: int


type _Tokens = deque[_Token]


class _NotPlain(Exception):
    """The text is not plain."""


def plain_tree(text: str) -> Tree | None:
    """The tree of a plain text; None for any other."""
    if len(text) > BYTES:
        return None
    try:
        stmts = _script(_tokens(text))
    except _NotPlain:
        return None
    return {"Type": "File", "Pos": stmts[0]["Pos"], "End": stmts[-1]["End"], "Stmts": stmts}


def _tokens(text: str) -> _Tokens:
    tokens, end = deque[_Token](), len(text) - len(text.lstrip(" "))
    while end < len(text):
        found = _TOKEN.match(text, end)
        if found is None:
            raise _NotPlain
        kind = str(found.lastgroup)
        tokens.append(_Token(kind, found[kind], end))
        end = found.end()
    return tokens


def _script(tokens: _Tokens) -> list[Node]:
    stmts: list[Node] = []
    while tokens or not stmts:
        stmt = _list(tokens)
        if tokens:
            at = tokens.popleft().start
            stmt |= {"Semicolon": _at(at), "End": _at(at + 1)}
        stmts.append(stmt)
    return stmts


def _list(tokens: _Tokens) -> Node:
    return _joined(tokens, ("&&", "||"), _pipeline)


def _pipeline(tokens: _Tokens) -> Node:
    return _joined(tokens, ("|",), _command)


def _joined(tokens: _Tokens, signs: tuple[str, ...], part: Callable[[_Tokens], Node]) -> Node:
    stmt = part(tokens)
    while tokens and tokens[0].text in signs:
        sign, first, second = tokens.popleft(), stmt, part(tokens)
        whole = {"Pos": first["Pos"], "End": second["End"]}
        both = {"OpPos": _at(sign.start), "Op": sign.text, "X": first, "Y": second}
        stmt = {**whole, "Cmd": {"Type": "BinaryCmd", **whole, **both}, "Position": first["Pos"]}
    return stmt


def _command(tokens: _Tokens) -> Node:
    if not tokens or not _PROGRAM.fullmatch(tokens[0].text) or tokens[0].text in _KEYWORDS:
        raise _NotPlain
    args, redirs = [_word(tokens.popleft())], []
    while tokens and tokens[0].kind != "sign":
        token = tokens.popleft()
        if token.kind == "word":
            args.append(_word(token))
        else:
            redirs.append(_redirection(token, tokens))
    start, end = args[0]["Pos"], args[-1]["End"]
    call = {"Type": "CallExpr", "Pos": start, "End": end, "Args": args}
    if not redirs:
        return {"Pos": start, "End": end, "Cmd": call, "Position": start}
    last = max((end, redirs[-1]["End"]), key=_offset)
    return {"Pos": start, "End": last, "Cmd": call, "Position": start, "Redirs": redirs}


def _redirection(into: _Token, tokens: _Tokens) -> Node:
    if not tokens or tokens[0].kind != "word":
        raise _NotPlain
    word, sign = _word(tokens.popleft()), into.text.lstrip("0123456789")
    redir: Node = {"Pos": _at(into.start), "End": word["End"], "Op": sign, "Word": word}
    redir["OpPos"] = _at(into.start + len(into.text) - len(sign))
    if sign != into.text:
        redir["N"] = _literal(into.text[0], into.start)
    return redir


def _word(token: _Token) -> Node:
    parts = [_part(found[0], token.start + found.start()) for found in _PART.finditer(token.text)]
    return {"Pos": parts[0]["Pos"], "End": parts[-1]["End"], "Parts": parts}


def _part(text: str, start: int) -> Node:
    if text[0] not in "'\"":
        return {"Type": "Lit", **_literal(text, start)}
    left, right, end = _at(start), _at(start + len(text) - 1), _at(start + len(text))
    inner = text[1:-1]
    quoted: Node = {"Type": "SglQuoted", "Pos": left, "End": end, "Left": left, "Right": right}
    if text[0] == '"':
        quoted["Type"] = "DblQuoted"
        return quoted | ({"Parts": [{"Type": "Lit", **_literal(inner, start + 1)}]} if inner else {})
    return quoted | ({"Value": inner} if inner else {})


def _literal(text: str, start: int) -> Node:
    first, end = _at(start), _at(start + len(text))
    return {"Pos": first, "End": end, "ValuePos": first, "ValueEnd": end, "Value": text}


def _at(offset: int) -> Node:
    return {"Offset": offset, "Line": 1, "Col": offset + 1}


def _offset(position: Node) -> int:
    return int(position["Offset"])
