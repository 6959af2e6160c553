"""declare, export and their like, which the parser takes apart, put together again as words."""

from policy.reading.piece import Word
from policy.reading.surroundings import Surroundings
from policy.reading.tree import Node, nodes, value
from policy.reading.word import assigned, words


def words_of(node: Node, near: Surroundings) -> list[Word]:
    """The words as the builtin would get them."""
    args = [word for arg in nodes(node, "Args") for word in _words(arg, near)]
    return [Word(value(node.get("Variant"))), *args]


def _words(arg: Node, near: Surroundings) -> list[Word]:
    name = value(arg.get("Name"))
    if arg.get("Naked"):
        return [Word(name)] if name else words(arg.get("Value") or {}, near)
    begins = f"{name}{'[' if arg.get('Index') else ''}{'+' if arg.get('Append') else ''}="
    if array := arg.get("Array"):
        elements = [assigned(element.get("Value"), near) for element in nodes(array, "Elems")]
        return [Word(None, "param", begins, any(element.latent for element in elements))]
    held = assigned(arg.get("Value"), near)
    if held.text is None:
        template = begins + held.template if held.template else ""
        counted = begins + held.counted if held.counted else ""
        known = (begins + held.known, held.latent)
        return [Word(None, held.reason, *known, template=template, about=held.about, counted=counted)]
    return [Word(begins + held.text, latent=held.latent)]
