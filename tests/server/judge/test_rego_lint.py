@pytest.mark.promise("policy.strictest_wins")
@pytest.mark.parametrize(
    "package",
    ["sandgate", "sandgate.rules.privilege.tools", "sandgate_config", "sandgate_custom", "sandgate_custom.a.b", "x"],
)
def test_an_operators_package_cannot_take_the_place_of_ours(tmp_path: Path, package: str) -> None:
    rule = custom_rule(tmp_path, "findings contains 1 if input.x", package)
    with pytest.raises(BundleError, match=rf"house.rego:1: package {package} is not sandgate_custom"):
        RegoJudge.load(BUNDLE, {}, [rule])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("findings contains {", r"house\.rego:\d+:\d+: "),
        ("other := 1", r"there is no `findings contains"),
        ('findings contains 1 if http.send({"url": "x"})', r"house\.rego:3: http\.send is not a function"),
        ("findings contains 1 if nosuch.builtin(1)", r"nosuch\.builtin is not a function"),
        ("findings contains 1 if opa.runtime()", r"opa\.runtime is not a function"),
    ],
)
def test_operators_rules_that_cannot_hold_are_refused_in_one_sentence(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(BundleError, match=said) as refused:
        RegoJudge.load(BUNDLE, {}, [custom_rule(tmp_path, body)])
    assert "\n" not in str(refused.value)
    assert "backtrac" not in str(refused.value)
