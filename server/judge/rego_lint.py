"""What is checked in a Rego module before it is used: what the engine itself would find too late, or never.

regorus finds an unknown function only when it is reached, and its builtins differ from OPA's in places; so only those
that both have, and that answer the same, may be called. None of them can reach the network, the clock or chance.
"""

from collections.abc import Iterator
from typing import Any

BUILTINS = frozenset({
    "abs", "array.concat", "array.reverse", "array.slice", "base64.decode", "base64.encode", "ceil", "concat",
    "contains", "count", "endswith", "floor", "format_int", "glob.match", "indexof", "intersection", "is_array",
    "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string", "json.marshal", "json.unmarshal", "lower",
    "max", "min", "net.cidr_contains", "numbers.range", "object.filter", "object.get", "object.keys", "object.remove",
    "object.union", "product", "regex.match", "regex.replace", "regex.split", "replace", "round", "semver.compare",
    "sort", "split", "sprintf", "startswith", "strings.any_prefix_match", "strings.any_suffix_match", "substring",
    "sum", "to_number", "trim", "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix", "type_name",
    "union", "upper",
})  # fmt: skip


def faults(name: str, text: str, tree: Any, place: tuple[str, ...] | None) -> Iterator[str]:
    """What is wrong with a module, a sentence each. `place` is its folder in our bundle, None for an operator's rules."""
    package = _dotted(tree["package"]["refr"]) or ""
    if place is not None and package != ".".join(("sandgate", *place)):
        yield f"{name}:1: package {package} does not match its folder"
    if place is None:
        yield from _custom_faults(name, tree, package)
    if place is not None and not text.startswith("# METADATA\n# title: "):
        yield f"{name}:1: the package has no METADATA with a title"
    own = {_dotted(rule["Spec"]["head"]["Func"]["refr"]) for rule in tree["rules"] if "Func" in _head(rule)}
    imports = {(_dotted(each["refr"]) or "").rpartition(".")[2] for each in tree["imports"]}
    for called, line in _calls(tree["rules"]):
        if called not in BUILTINS | own and called.partition(".")[0] not in imports | {"data"}:
            yield f"{name}:{line}: {called} is not a function that policies may call"


def _custom_faults(name: str, tree: Any, package: str) -> Iterator[str]:
    root, _, own = package.partition(".")
    if root != "sandgate_custom" or not own or "." in own:
        yield f"{name}:1: package {package} is not sandgate_custom.NAME, where an operator's rules belong"
    heads = [(kind, _dotted(head["refr"])) for rule in tree["rules"] for kind, head in _head(rule).items()]
    sets = {head for kind, head in heads if kind == "Set"}
    if not sets & {"findings", "egress_findings"}:
        yield f"{name}:1: there is no `findings contains ...` or `egress_findings contains ...`, so the rules would say nothing"
    if ("egress_findings" in {head for _, head in heads}) and "egress_findings" not in sets:
        yield f"{name}:1: egress_findings is not a set: write `egress_findings contains ...`"


def _head(rule: Any) -> dict[str, Any]:
    head = rule.get("Spec", {}).get("head", {})
    return head if isinstance(head, dict) else {}


def _calls(node: Any) -> Iterator[tuple[str, int]]:
    """Every function called anywhere below a node, with its line."""
    if isinstance(node, list):
        for each in node:
            yield from _calls(each)
    elif isinstance(node, dict):
        if isinstance(call := node.get("Call"), dict):
            yield _dotted(call["fcn"]) or "?", call["span"]["line"]
        for each in node.values():
            yield from _calls(each)


def _dotted(reference: Any) -> str | None:
    """data.a.b from the tree of a reference; None where a part of it is not a plain name."""
    match reference:
        case {"Var": {"value": str(name)}}:
            return name
        case {"RefDot": {"refr": inner, "field": [_, str(part)]}}:
            return f"{before}.{part}" if (before := _dotted(inner)) else None
        case {"RefBrack": {"refr": inner, "index": {"String": {"value": str(part)}}}}:
            return f"{before}.{part}" if (before := _dotted(inner)) else None
        case _:
            return None
