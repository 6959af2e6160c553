@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("effect",), "permit"),
        (("effect",), "ask"),
        (("effect",), True),
        (("rules",), None),
        (("rules",), [{"id": "a", "effect": "deny", "reason": "b"}]),
        (("rules",), [{"id": "a", "effect": "deny", "reason": 1, "help": ""}]),
        (("rules",), [{"id": "a", "effect": "allow", "reason": "", "help": ""}]),
        (("rules",), [{"id": "a", "effect": "deny", "reason": "x", "help": ""}]),
        (("limits",), {}),
        (("limits", "timeout_s"), -1),
        (("limits", "timeout_s"), True),
        (("limits", "output_bytes"), 1.5),
        (("access",), None),
        (("access", "write"), "/"),
        (("access", "write"), ["workspace"]),
        (("access", "write"), ["/workspace/../etc"]),
        (("access", "write"), ["/a\0b"]),
        (("revision",), "another"),
        (("more",), 1),
    ],
)
def test_a_decision_of_another_shape_is_denied(path: tuple[str, ...], value: Any) -> None:
    document: Any = {
        "effect": "allow",
        "rules": [],
        "limits": {"timeout_s": None, "output_bytes": None},
        "access": {"read": ["/"], "write": [], "execute": ["/"]},
        "revision": "r",
    }
    assert isinstance(verdict(document, "r"), Allow)
    target = document[path[0]] if len(path) > 1 else document
    target[path[-1]] = value
    assert ids(verdict(document, "r")) == ["engine.error"]
