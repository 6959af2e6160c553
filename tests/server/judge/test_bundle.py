@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("main.rego", lambda text: text + "\nx := (\n", r"main\.rego:\d+:\d+: "),
        (".manifest", lambda text: text.replace("sandgate", "other"), r"roots must be sandgate"),
        (".manifest", lambda _: "{", r"Expecting"),
        ("programs/data.json", lambda _: "{}", r"the sample|cannot be evaluated"),
        ("rules/code/piped/denied.json", lambda _: "[]", r"denied\.json of code\.piped is not a list"),
        ("rules/code/piped/piped.rego", lambda text: text.replace('"deny"', '"ask"'), r"the sample .* of code\.piped"),
        (
            "index/index.rego",
            lambda text: text.replace("code.piped.findings", "code.arithmetic.findings"),
            r"not named in",
        ),
        (
            "rules/code/piped/piped.rego",
            lambda text: text.replace("some shell", "1 / 0 == 1\n\tsome shell"),
            r"divide by zero",
        ),
    ],
)
def test_a_broken_bundle_is_refused_in_one_sentence(tmp_path: Path, file: str, change: Any, said: str) -> None:
    folder = copied(tmp_path)
    (folder / file).write_text(change((folder / file).read_text()))
    with pytest.raises(BundleError, match=said) as refused:
        RegoJudge.load(folder, {})
    assert "\n" not in str(refused.value)


def test_a_rule_without_tests_or_samples_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "rules/code/piped/piped_test.rego").unlink()
    with pytest.raises(BundleError, match=r"piped: the rule lacks its piped_test\.rego"):
        read_bundle(folder, {})


def test_a_bundle_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="manifest"):
        RegoJudge.load(tmp_path, {})


def test_the_revision_is_that_of_the_rules_and_the_settings(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    first = read_bundle(folder, {}).revision
    assert first == read_bundle(BUNDLE, {}).revision
    assert first != read_bundle(folder, {"profile": "strict"}).revision
    main = folder / "main.rego"
    main.write_text(main.read_text() + "\n# changed\n")
    assert first != read_bundle(folder, {}).revision
    rule = custom_rule(tmp_path, "findings contains 1 if input.x == 1")
    assert read_bundle(folder, {}).revision != read_bundle(folder, {}, [rule]).revision
