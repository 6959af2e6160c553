"""Brace expansion, which bash does before everything else: `{r,}m` is two words."""

import re
from collections.abc import Iterator
from itertools import pairwise

from policy.reading.bounds import BRACE_WORDS
from policy.reading.piece import Piece

type Atom = str | Piece  # one unquoted character, or a piece that braces cannot look into
type Atoms = list[Atom]

_NUMBERS = re.compile(r"(-?\d{1,9})\.\.(-?\d{1,9})(?:\.\.(-?\d{1,9}))?")
_LETTERS = re.compile(r"([a-z])\.\.([a-z])(?:\.\.(-?\d{1,9}))?|([A-Z])\.\.([A-Z])(?:\.\.(-?\d{1,9}))?")


class TooMany(Exception):
    """An expansion has more words than one command may cost."""


def expand(pieces: list[Piece]) -> list[list[Piece]]:
    """Every word the braces in one word make."""
    if not any("{" in piece.text and piece.plain for piece in pieces):
        return [pieces]
    return [_joined(word) for word in _expand(_atoms(pieces))]


def _atoms(pieces: list[Piece]) -> Atoms:
    return [atom for piece in pieces for atom in (piece.text if piece.plain else [piece])]


def _joined(atoms: Atoms) -> list[Piece]:
    joined: list[Piece] = []
    for atom in atoms:
        if isinstance(atom, Piece):
            joined.append(atom)
        elif joined and joined[-1].plain:
            joined[-1] = Piece(joined[-1].text + atom)
        else:
            joined.append(Piece(atom))
    return joined


def _expand(atoms: Atoms) -> list[Atoms]:
    for start, atom in enumerate(atoms):
        if atom != "{":
            continue
        end, commas = _closing(atoms, start)
        alternatives = end and _alternatives(atoms, start, end, commas)
        if end and alternatives:
            return _product(atoms[:start], alternatives, _expand(atoms[end + 1 :]))
    return [atoms]


def _product(before: Atoms, alternatives: list[Atoms], after: list[Atoms]) -> list[Atoms]:
    if len(alternatives) * len(after) > BRACE_WORDS:
        raise TooMany
    return [before + alternative + rest for alternative in alternatives for rest in after]


def _closing(atoms: Atoms, start: int) -> tuple[int | None, list[int]]:
    """Where the brace at `start` ends, and the commas that are its own."""
    depth, commas = 0, []
    for index in range(start, len(atoms)):
        match atoms[index]:
            case "{":
                depth += 1
            case "}":
                depth -= 1
            case "," if depth == 1:
                commas.append(index)
        if depth == 0:
            return index, commas
    return None, commas


def _alternatives(atoms: Atoms, start: int, end: int, commas: list[int]) -> list[Atoms]:
    if not commas:
        return list(_sequence(atoms[start + 1 : end]))
    edges = [start, *commas, end]
    parts = [atoms[left + 1 : right] for left, right in pairwise(edges)]
    return [word for part in parts for word in _expand(part)]


def _sequence(atoms: Atoms) -> Iterator[Atoms]:
    text = "".join(atom for atom in atoms if isinstance(atom, str))
    if len(text) != len(atoms):
        return
    if found := _NUMBERS.fullmatch(text):
        width = max(len(part) for part in found.groups()[:2]) if _padded(found) else 0
        yield from (list[Atom](f"{number:0{width}d}") for number in _steps(int(found[1]), int(found[2]), found[3]))
    elif found := _LETTERS.fullmatch(text):
        first, last, step = found.groups()[:3] if found[1] else found.groups()[3:]
        yield from (list[Atom](chr(point)) for point in _steps(ord(first), ord(last), step))


def _padded(found: re.Match[str]) -> bool:
    return any(re.fullmatch(r"-?0\d+", part) for part in found.groups()[:2])


def _steps(first: int, last: int, step: str | None) -> range:
    size = abs(int(step or 1)) or 1
    if abs(last - first) // size >= BRACE_WORDS:
        raise TooMany
    return range(first, last + 1, size) if last >= first else range(first, last - 1, -size)
