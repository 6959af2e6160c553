@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"profile": "lax"}, "policy.profile is 'lax'"),
        ({"profil": "open"}, "policy.profil is not a setting"),
        ({"allow": "git push"}, "policy.allow is no list"),
        ({"deny": ["$x"]}, "names no program"),
        ({"paths": [{"glob": "/a/{b", "effect": "deny"}]}, "does not close"),
        ({"paths": [{"glob": "/a/[^b]", "effect": "deny"}]}, "does not close"),
        ({"paths": [{"glob": "a/*", "effect": "deny"}]}, "not an absolute"),
        ({"paths": [{"glob": "/a", "effect": "no"}]}, "is not allow, ask or deny"),
        ({"paths": [{"glob": "/a", "ops": ["run"], "effect": "deny"}]}, "ops of /a"),
        ({"workspaces": ["w"]}, "no absolute path"),
        ({"limits": {"timeout_s": 0}}, "not a positive number"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said) as refused:
        RegoJudge.load(BUNDLE, settings)
    assert "\n" not in str(refused.value)


@pytest.mark.promise("policy.strictest_wins")
async def test_an_operators_allow_answers_a_question_and_lifts_no_deny() -> None:
    with judge({"allow": ["git push", "sudo", "curl"]}) as loaded:
        assert isinstance(await loaded.decide(asks(command("git", "push", "origin"))), Allow)
        assert isinstance(await loaded.decide(asks(command("git", "push", "--force"))), Deny)
        assert isinstance(await loaded.decide(asks(command("sudo", "ls"))), Deny)
        assert isinstance(await loaded.decide(asks(command("git", None))), Ask)
        assert isinstance(await loaded.decide(asks(command("git", "push"), command("twine", "upload"))), Ask)


async def test_an_operators_lists_may_speak_of_one_role_only() -> None:
    with judge({"deny": [{"command": "make deploy", "role": "guest"}]}) as loaded:
        assert isinstance(await loaded.decide(asks(command("make", "deploy"))), Allow)
        assert isinstance(await loaded.decide(asks(command("make", "deploy"), role="guest")), Deny)


async def test_limits_and_access_come_from_the_settings() -> None:
    settings = {"limits": {"timeout_s": 20, "output_bytes": 1000}, "workspaces": ["/srv/a"], "home": "/home/x"}
    with judge({**settings, "execute": ["/usr"]}) as loaded:
        answer = await loaded.decide(asks(command("ls")))
    assert isinstance(answer, Allow)
    assert (answer.limits.timeout_s, answer.limits.output_bytes) == (20, 1000)
    assert answer.access.execute == ("/usr",)
    assert answer.access.write == ("/srv/a", "/tmp", "/var/tmp", "/home/x", "/dev")
