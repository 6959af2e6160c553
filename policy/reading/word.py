"""A word of the tree turned into the words bash would pass on."""

import re
from collections.abc import Iterator
from itertools import takewhile

from policy.reading import braces, expansion, quoting
from policy.reading.piece import Piece, Word, is_latent, static
from policy.reading.surroundings import Surroundings
from policy.reading.tree import Node, kind, nodes, value
from policy.reading.variables import NUMBER, Found, Partly

_ORDINARY = re.compile(r"[^\\{*?\[~`$]*")
_GLOB = re.compile(r"[*?]|\[.+\]", re.DOTALL)
_IN_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*\+?=)(.*)", re.DOTALL)
_REASONS = {"ParamExp": "param", "CmdSubst": "cmdsub", "ArithmExp": "arith", "ProcSubst": "procsub"}
_BYTES = 8  # that cost as much as one word
_PLAIN_PARAM = {"Type", "Pos", "End", "Dollar", "Rbrace", "Short", "Param"}


def words(node: Node, near: Surroundings) -> list[Word]:
    """The words one word expands to: several for braces and for variables with spaces in them, none for empty ones."""
    near.budget.spend(1)
    if simple := _ordinary(node):
        return [static(simple)]
    pieces = pieces_of(nodes(node, "Parts"), near)
    try:
        expanded = [_tilde(one, near) for one in braces.expand(pieces)]
        near.budget.spend(len(expanded))
        return [_finished(field) for one in expanded for field in _fields(one)]
    except braces.TooMany:
        return [Word(None, "brace", _start(pieces).partition("{")[0], splits=True)]


def word(node: Node, near: Surroundings) -> Word:
    """A redirect's target, where braces mean nothing; several words are an error to bash."""
    fields = list(_fields(_tilde(pieces_of(nodes(node, "Parts"), near), near)))
    return _finished(fields[0]) if len(fields) == 1 else Word(None, "param")


def unsplit(node: Node, near: Surroundings) -> Word:
    """A word as if every expansion in it stood in quotes."""
    pieces = (
        _expansion(part, near, quoted=True, splits=True)
        if kind(part) == "ParamExp"
        else _pieces(part, near, splits=True)
        for part in nodes(node, "Parts")
    )
    return _finished([piece for each in pieces for piece in each])


def here_string(node: Node, near: Surroundings) -> Word:
    """The word after `<<<`, which is neither split nor a pattern."""
    return _closed(_tilde(pieces_of(nodes(node, "Parts"), near, splits=False), near))


def assigned(node: Node | None, near: Surroundings) -> Word:
    """The value of an assignment: no braces, no globs, a tilde after each colon."""
    if node is None:
        return static("")
    pieces = pieces_of(nodes(node, "Parts"), near, splits=False)
    return _closed([_tildes(piece, near) for piece in _tilde(pieces, near)])


def document(node: Node, near: Surroundings, *, expands: bool, strips_tabs: bool) -> Word:
    """The body of a here-document."""
    pieces = [
        piece
        for part in nodes(node, "Parts")
        for piece in (
            [Piece(quoting.heredoc(value(part)) if expands else value(part), quoted=True)]
            if kind(part) == "Lit"
            else _expansion(part, near, quoted=True, splits=False)
        )
    ]
    body = _closed(pieces)
    if strips_tabs and body.text is not None:
        return static(re.sub(r"(?m)^\t+", "", body.text))
    return body


def pieces_of(parts: list[Node], near: Surroundings, *, splits: bool = True) -> list[Piece]:
    return [piece for part in parts for piece in _pieces(part, near, splits=splits)]


def _fields(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Word splitting: a field in which nothing is left is no word, unless there were quotes."""
    start = 0
    for end in [*(index for index, piece in enumerate(pieces) if piece.breaks), len(pieces)]:
        if end > start:
            yield pieces[start:end]
        start = end + 1


def _ordinary(node: Node) -> str:
    """The text of a word with nothing to expand: most words, decided without building pieces."""
    parts = nodes(node, "Parts")
    if len(parts) == 1 and kind(parts[0]) == "Lit":
        text = value(parts[0])
        return text if _ORDINARY.fullmatch(text) else ""
    return ""


def _pieces(part: Node, near: Surroundings, *, splits: bool) -> list[Piece]:
    match kind(part):
        case "Lit":
            return [Piece(text, quoted=quoted) for text, quoted in quoting.unquoted(value(part))]
        case "SglQuoted":
            text = quoting.ansi_c(value(part)) if part.get("Dollar") else value(part)
            return [Piece(text, quoted=True)]
        case "DblQuoted":
            return _in_quotes(nodes(part, "Parts"), near, splits=splits)
        case "ExtGlob":
            return [Piece(f"{part.get('Op', '')}{value(part.get('Pattern'))})", reason="glob")]
        case _:
            return _expansion(part, near, splits=splits)


def _in_quotes(parts: list[Node], near: Surroundings, *, splits: bool) -> list[Piece]:
    """What double quotes hold; "$@" without arguments is no word at all."""
    inner = [_quoted(part, near, splits=splits) for part in parts]
    if [] not in inner:
        return [Piece("", quoted=True), *(piece for pieces in inner for piece in pieces)]
    return [] if len(inner) == 1 else [Piece("", reason="param")]


def _quoted(part: Node, near: Surroundings, *, splits: bool) -> list[Piece]:
    if kind(part) == "Lit":
        return [Piece(quoting.double(value(part)), quoted=True)]
    return _expansion(part, near, quoted=True, splits=splits)


def _expansion(part: Node, near: Surroundings, *, quoted: bool = False, splits: bool) -> list[Piece]:
    """$HOME and $PWD are static where nothing in the text can have changed them; so is what else is known."""
    if kind(part) == "ParamExp" and (part.keys() <= _PLAIN_PARAM or _stands(part)):
        name = value(part.get("Param"))
        known = {"HOME": near.home, "PWD": near.cwd}.get(name)
        if known:
            return [Piece(known, quoted=True)]
        if name == "IFS" and (quoted or not splits) and near.variables.splits:
            return [Piece(" \t\n", quoted=True)]
    pieces = expansion.known(part, near, lambda node: words(node, near), quoted=quoted, splits=splits)
    if pieces is not None:
        return pieces
    if old := _old_value(part, quoted=quoted):
        return old
    whole = quoted and not _is_list(part)
    is_plain = kind(part) == "ParamExp" and part.keys() <= _PLAIN_PARAM
    about = "" if part.get("Excl") else value(part.get("Param"))
    folder = expansion.tool_folder(part, near, lambda node: words(node, near)) if kind(part) == "CmdSubst" else ""
    reason = _REASONS.get(kind(part), "param")
    plain = about if is_plain else folder
    unknown = Piece("", quoted=whole, reason=reason, name=plain, digits=is_number(part, near), about=about)
    held = near.variables.get(about) if is_plain else None
    if isinstance(held, Found) and whole and splits:
        return [Piece(held.pattern, quoted=True, reason="glob")]
    if isinstance(held, Partly) and (whole or not splits):
        near.budget.spend(len(held.begins + held.ends) // _BYTES)
        return [Piece(held.begins, quoted=True), unknown, Piece(held.ends, quoted=True)]
    return [unknown]


def _old_value(part: Node, *, quoted: bool) -> list[Piece]:
    """${X:-} and ${X:+:$X}: what X holds, and a colon before it."""
    expansion_of = part.get("Exp") or {}
    if kind(part) != "ParamExp" or not part.keys() <= _PLAIN_PARAM | {"Exp"}:
        return []
    name, inner = value(part.get("Param")), nodes(expansion_of.get("Word") or {}, "Parts")
    unknown = Piece("", quoted=quoted, reason="param", name=name, about=name)
    match expansion_of.get("Op"), [value(each) or value(each.get("Param")) for each in inner]:
        case ((":-" | "-"), []):
            return [unknown]
        case ((":+" | "+"), [":", again]) if again == name and inner[1].keys() <= _PLAIN_PARAM:
            return [Piece(":", quoted=True), unknown]
        case _:
            return []


def _stands(part: Node) -> bool:
    """${PWD:?} and ${HOME:-x} are what is there."""
    return part.keys() <= _PLAIN_PARAM | {"Exp"} and part["Exp"].get("Op") in (":?", "?", ":-", "-")


def is_number(part: Node, near: Surroundings) -> bool:
    """$!, $$, $? and $#, a variable that holds one of them, arithmetic, or a substitution that counts."""
    if kind(part) == "CmdSubst":
        return expansion.counts(part, near)
    name = value(part.get("Param")) if part.keys() <= _PLAIN_PARAM else ""
    return kind(part) == "ArithmExp" or (
        kind(part) == "ParamExp" and (name in _NUMBERS or near.variables.get(name) is NUMBER)
    )


_NUMBERS = frozenset(("!", "$", "?", "#", "UID", "EUID", "PPID"))  # bash lets nobody write these


def _is_list(part: Node) -> bool:
    """ "$@" and "${array[@]}" are as many words as they have elements, quotes or not."""
    index = part.get("Index") or {}
    names = [value(part.get("Param")), *(value(inner) for inner in nodes(index, "Parts"))]
    return "@" in names or part.get("Excl") is True


def _tilde(pieces: list[Piece], near: Surroundings) -> list[Piece]:
    if not pieces or not pieces[0].plain:
        return pieces
    first, rest = pieces[0], pieces[1:]
    if found := _IN_ASSIGNMENT.fullmatch(first.text):
        if "~" not in found[2]:
            return pieces
        held = _user([Piece(found[2]), *rest], near) if found[2].startswith("~") else [Piece(found[2]), *rest]
        return [Piece(found[1]), *(_tildes(piece, near) for piece in held)]
    return _user(pieces, near)


def _user(pieces: list[Piece], near: Surroundings) -> list[Piece]:
    """A tilde at the very start, up to the first slash."""
    first, rest = pieces[0], pieces[1:]
    if not first.text.startswith("~"):
        return pieces
    login, slash, path = first.text.partition("/")
    if not slash and rest:  # ~"x" and ~$x are not expanded
        return pieces
    return [_login(login, near), Piece(slash + path), *rest]


def _login(login: str, near: Surroundings) -> Piece:
    home = {"~": near.home, "~+": near.cwd, "~root": "/root"}.get(login)
    return Piece(home, quoted=True) if home else Piece(login, reason="param")


def _tildes(piece: Piece, near: Surroundings) -> Piece:
    if not piece.plain or ":~" not in piece.text:
        return piece
    if near.home is None:
        return Piece(piece.text, reason="param")
    home = near.home
    return Piece(re.sub(r":~(?=/|:|$)", lambda _: ":" + home, piece.text))


def _finished(pieces: list[Piece]) -> Word:
    """One word, after everything but globbing; a lone `[` is no glob."""
    if any(piece.reason not in ("", "glob") for piece in pieces):
        return _closed(pieces)
    visible = "".join(_shadow(piece) for piece in pieces)
    if any(piece.reason for piece in pieces) or _GLOB.search(visible):
        pattern = "".join(piece.text for piece in pieces)
        several = any(piece.reason and not piece.quoted for piece in pieces) or _GLOB.search(visible) is not None
        return Word(None, "glob", pattern, latent=is_latent(pattern), splits=several)
    return static("".join(piece.text for piece in pieces))


def _shadow(piece: Piece) -> str:
    """The piece as globbing sees it: quoted characters are there, but mean nothing."""
    return piece.text if not piece.quoted else "x" * len(piece.text)


def _closed(pieces: list[Piece]) -> Word:
    text = "".join(piece.text for piece in pieces)
    reasons = [piece.reason for piece in pieces if piece.reason]
    if not reasons:
        return static(text)
    reason = next((reason for reason in reasons if reason != "glob"), "glob")
    splits = any(piece.reason in ("param", "cmdsub") and not piece.quoted for piece in pieces)
    about = next((piece.about for piece in pieces if piece.reason), "")
    ends = (_start(pieces, -1), _counted(pieces), about)
    return Word(None, reason, _start(pieces), is_latent(text), splits, _template(pieces), *ends)


def _template(pieces: list[Piece]) -> str:
    if any(piece.reason and not piece.name for piece in pieces):
        return ""
    return "".join(f"${{{piece.name}}}" if piece.reason else piece.text for piece in pieces)


def _counted(pieces: list[Piece]) -> str:
    if any(piece.reason and not piece.digits for piece in pieces):
        return ""
    return "".join("1" if piece.reason else piece.text for piece in pieces)


def _start(pieces: list[Piece], step: int = 1) -> str:
    """The text before the first piece that is not static; with a step of -1 the text behind the last one."""
    known = list(takewhile(lambda piece: not piece.reason, pieces[::step]))
    return "".join(piece.text for piece in known[::step])
