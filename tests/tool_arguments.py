"""Arguments for a tool, made from the schema that it lists: mostly such as it takes, and such as nobody should send."""

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

type Strategy = st.SearchStrategy[Any]

ANYTHING: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
# What would make a call take long, or a session too many, whatever the schema allows.
BOUNDED: Mapping[str, Strategy] = {
    "wait_s": st.sampled_from([0, 0.05, 0.2, -1, 51, math.inf]),
    "timeout_s": st.sampled_from([0.01, 0.5, 1, 0, -1, 3601]),
    "session": st.sampled_from(["default", "work", "no/such\0name", "", "é" * 128, "x" * 129, "../default"]),
    "command": st.sampled_from(["true", "echo a; exit 3", "cat", "sudo id", "((", "'", "\0", "echo \x1b[2J"])
    | st.text(),
    "argv": st.lists(st.sampled_from(["true", "echo", "cat", "/nowhere", "-", ""]) | st.text(max_size=9), max_size=4),
    "path": st.sampled_from([".", "a", "a/b", "/", "/proc/self/mem", "../..", "~", "", "\0", "a" * 5000]) | st.text(),
    "job": st.sampled_from(["j1", "j2", "j99999", "", "x" * 33]),
    "name": st.sampled_from(["kept", "other.1", "", "../x", "a b", "x" * 65, "é"]) | st.text(max_size=5),
    "snapshot": st.sampled_from(["none", "kept", "../x", ""]),
    "environment": st.sampled_from(["none", "", "python\0"]),
}
KINDS: Mapping[str, Strategy] = {
    "string": st.text(max_size=50),
    "integer": st.integers() | st.integers(-2, 100),
    "number": st.floats() | st.integers(-2, 100),
    "boolean": st.booleans(),
    "array": st.lists(st.text(max_size=9), max_size=5),
}


def arguments(schema: Mapping[str, Any]) -> Strategy:
    """Mostly by the schema; now and then one of them is of another kind, missing, or unknown."""
    fields = {name: _value(name, about) for name, about in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    good = st.fixed_dictionaries(required, optional=fields)
    broken = st.fixed_dictionaries({}, optional=dict.fromkeys((*required, *fields, "unknown"), ANYTHING))
    return st.integers(0, 4).flatmap(lambda n: broken if n == 0 else good)


def _value(name: str, about: Mapping[str, Any]) -> Strategy:
    if name in BOUNDED:
        return BOUNDED[name]
    if "enum" in about:
        return st.sampled_from(about["enum"])
    return KINDS[about["type"]]
