@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    "module",
    [
        "decision := 1",
        "decision := {}",
        "other := 1",
        "decision := 1 / input.nothing",
        'decision := substring(1, "a", 2)',
    ],
)
def test_an_engine_that_answers_oddly_or_not_at_all_is_denied(module: str) -> None:
    engine = Engine({"main.rego": f"package sandgate\n\n{module}\n"}, ())
    try:
        document = engine.evaluate("{}", DECISION)
    except EngineTrouble:
        return
    assert ids(verdict(document, "r")) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
def test_a_panic_is_trouble_and_does_not_end_the_program() -> None:
    engine = Engine({"p.rego": 'package p\n\nq := strings.count(input.x, "")\n'}, ())
    with pytest.raises(EngineTrouble):
        engine.evaluate('{"x": "a"}', "data.p.q")
