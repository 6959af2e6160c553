"""`NAME=value` in front of a command or alone: what the policy sees of it, and what the variable then holds."""

import re

from policy.reading import expansion, getopt
from policy.reading.code_options import CODE_VARIABLES
from policy.reading.piece import Word, static
from policy.reading.surroundings import Surroundings
from policy.reading.tree import Node, kind, nodes, value
from policy.reading.variables import NUMBER, QUOTED, Held, Partly, Program
from policy.reading.word import assigned, words


def held(assign: Node, near: Surroundings) -> Word:
    """The value as one word; an array's elements are not told apart."""
    if array := assign.get("Array"):
        elements = [assigned(element.get("Value"), near) for element in nodes(array, "Elems")]
        texts = [element.text for element in elements]
        if value(assign.get("Name")) in CODE_VARIABLES and None not in texts:  # each of PROMPT_COMMAND's is run
            return static("\n".join(text for text in texts if text is not None))
        return Word(None, "param", latent=any(element.latent for element in elements))
    word = assigned(assign.get("Value"), near)
    if not assign.get("Append"):
        return word
    before = near.variables.get(value(assign.get("Name")))
    if isinstance(before, str) and word.text is not None:
        return static(before + word.text)
    template = f"${{{value(assign.get('Name'))}}}{word.text}" if word.text is not None else ""
    return Word(None, "param", word.begins, word.latent, template=template)


_VARIABLE = re.compile(r"\$\{\w*\}")


def appended(name: str, word: Word) -> str | None:
    """What is put behind the variable's own old value, as in PATH=$PATH:/x; None where that is not all that happens."""
    old = f"${{{name}}}"
    rest = word.template.removeprefix(old)
    return rest if word.template.startswith(old) and not _VARIABLE.search(rest) else None


def prepended(name: str, word: Word) -> str | None:
    """What is put in front of the variable's own old value, as in PATH=/x:$PATH; None where more than that happens."""
    old = f"${{{name}}}"
    first = word.template.removesuffix(old)
    return first if word.template.endswith(old) and "${" not in first else None


def binding(assign: Node, word: Word, near: Surroundings) -> Held | None:
    """What is known of the variable afterwards; `word` is what `held` made of the assignment."""
    if "Index" in assign:
        return None
    if array := assign.get("Array"):
        return _array(assign, array, near)
    if word.counted == "1" and not assign.get("Append"):
        return NUMBER
    if word.text is not None:
        return word.text
    return _printed(assign.get("Value") or {}, near) or _partly(assign, word)


def _array(assign: Node, array: Node, near: Surroundings) -> Held | None:
    before = near.variables.get(value(assign.get("Name"))) if assign.get("Append") else ()
    elements = nodes(array, "Elems")
    found = [word.text for element in elements for word in words(element.get("Value") or {}, near)]
    texts = tuple(text for text in found if text is not None)
    if not isinstance(before, tuple) or len(texts) < len(found) or any("Index" in element for element in elements):
        return None
    return before + texts


def _partly(assign: Node, word: Word) -> Held | None:
    known = word.begins or word.ends
    return Partly(word.begins, word.ends) if known and word.reason != "glob" and not assign.get("Append") else None


def _printed(node: Node, near: Surroundings) -> Held | None:
    """What a substitution is known to print, beside texts and numbers."""
    parts = nodes(node, "Parts")
    if len(parts) == 1 and kind(parts[0]) == "DblQuoted":
        parts = nodes(parts[0], "Parts")
    if len(parts) != 1 or kind(parts[0]) != "CmdSubst":
        return None
    if name := expansion.found_program(parts[0], near, lambda inner: words(inner, near)):
        return Program(name)
    return QUOTED if getopt.prints_words(node, near) else None
