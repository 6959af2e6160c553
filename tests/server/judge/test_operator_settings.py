"""What an operator writes under [policy] is refused in one sentence or means exactly what it says."""

from dataclasses import replace
from typing import Any

import pytest

from policy.question import SessionFacts
from policy.verdict import Allow, Ask, Deny
from server.judge.bundle import BundleError
from server.judge.operator_settings import SettingsError, rego_settings
from server.judge.rego import RegoJudge
from tests.server.judge.judging import BUNDLE, asks, command, judge, opens

pytestmark = pytest.mark.anyio


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
        ({"execute": ["w"]}, "no absolute path"),
        ({"limits": {"timeout_s": 0}}, "not a positive number"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said) as refused:
        RegoJudge.load(BUNDLE, settings)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "words", [("npm", "i", "x"), ("npm", "--prefix", "y", "add", "x"), ("npm", "isntall"), ("npm", "pub")]
)
async def test_a_sub_command_is_meant_under_each_of_its_names(words: tuple[str, ...]) -> None:
    with judge({"deny": ["npm install", "npm publish"]}) as loaded:
        assert isinstance(await loaded.decide(asks(command(*words))), Deny)
        assert isinstance(await loaded.decide(asks(command("npm", "test"))), Allow)


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


async def test_limits_come_from_the_settings_and_access_from_where_the_session_s_work_lies() -> None:
    settings = {"limits": {"timeout_s": 20, "output_bytes": 1000}, "execute": ["/usr"]}
    place = SessionFacts("default", "python", "/home/x", ("/srv/a",))
    with judge(settings) as loaded:
        answer = await loaded.decide(replace(asks(command("ls")), session=place))
    assert isinstance(answer, Allow)
    assert (answer.limits.timeout_s, answer.limits.output_bytes) == (20, 1000)
    assert answer.access.execute == ("/usr",)
    assert answer.access.write == ("/srv/a", "/tmp", "/var/tmp", "/home/x", "/dev")


def test_commands_are_one_table_keyed_by_program() -> None:
    table = rego_settings({"allow": ["git push", "ls"], "deny": [{"command": "git  push --force"}]}, "r")["commands"]

    assert table == {
        "git": [{"effect": "allow", "words": ["push"]}, {"effect": "deny", "words": ["push", "--force"]}],
        "ls": [{"effect": "allow", "words": []}],
    }


def test_a_folder_is_meant_by_the_glob_of_what_is_in_it() -> None:
    rules = rego_settings({"paths": [{"glob": "/workspace/s*/**", "effect": "deny", "ops": ["read"]}]}, "r")["paths"]

    assert [(rule["glob"], rule["prefix"], rule["ops"]) for rule in rules] == [
        ("/workspace/s*/**", "/workspace/s", ["read"]),
        ("/workspace/s*", "/workspace/s", ["read"]),
    ]


async def test_an_operators_path_rule_denies_what_it_names_and_nothing_beside_it() -> None:
    with judge({"paths": [{"glob": "/workspace/secrets/**", "effect": "deny"}]}) as loaded:
        for path in ("/workspace/secrets", "/workspace/secrets/a/b"):
            assert isinstance(await loaded.decide(opens(path)), Deny)
        assert isinstance(await loaded.decide(opens("/workspace/secrets.md")), Allow)


def test_without_settings_the_profile_is_standard_and_nothing_is_listed() -> None:
    document = rego_settings({}, "r")

    assert (document["profile"], document["commands"], document["paths"], document["hosts"]) == ("standard", {}, [], [])
    assert document["limits"] == {"output_bytes": None, "timeout_s": None}
    assert document["revision"] == "r"


def test_hosts_are_compared_in_lower_case() -> None:
    assert rego_settings({"hosts": ["API.Example.com"]}, "r")["hosts"] == ["api.example.com"]


@pytest.mark.parametrize(
    "settings",
    [
        {"allow": [""]},
        {"allow": [5]},
        {"allow": ["a;b"]},
        {"allow": [{"command": "ls", "rol": "x"}]},
        {"paths": ["/a"]},
        {"paths": [{"glob": "/ä", "effect": "deny"}]},
        {"paths": [{"glob": "/a", "ops": "read", "effect": "deny"}]},
        {"execute": ["/home/../etc"]},
        {"limits": []},
        {"limits": {"timeout_s": True}},
    ],
    ids=str,
)
def test_what_nobody_can_mean_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        rego_settings(settings, "r")
