"""What people and programs read of a host before anything is sent there."""

import json
from pathlib import Path

import pytest

from server import cli
from tests.server.judge.judging import custom_rule
from tests.server.ops.commands import Said, refused

SETTINGS = """[egress]
allow = ["docs.test", {host = "api.test:8443", methods = ["GET"], paths = ["/v1/*"]}, {host = "ops.test", roles = ["ops"]}]
ask = ["*.ask.test"]
"""


@pytest.fixture(autouse=True)
def settings(machine: Path) -> Path:
    path = machine / "config/sandgate/sandgate.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SETTINGS)
    return path


@pytest.mark.parametrize(
    ("words", "effect"),
    [
        (["docs.test"], "allow"),
        (["x.ask.test"], "ask"),
        (["ops.test"], "deny"),
        (["api.test:8443", "--method", "post", "--path", "/v1/x"], "deny"),
        (["api.test:8443", "--method", "get", "--path", "/v1/x"], "allow"),
    ],
)
def test_the_effect_is_what_the_gate_would_do(capsys: Said, words: list[str], effect: str) -> None:
    code = cli.main(["policy", "check", "--host", *words, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (code == 0, told["effect"]) == (effect == "allow", effect)


def test_an_operators_rule_speaks_too(capsys: Said, settings: Path, tmp_path: Path) -> None:
    rule = custom_rule(tmp_path, 'egress_findings contains {"effect": "deny", "reason": "shut", "help": "later"}')
    settings.write_text(f'[policy]\ncustom = ["{rule}"]\n{SETTINGS}')
    assert cli.main(["policy", "check", "--host", "docs.test"]) == 1
    assert capsys.readouterr().out == "deny\n  shut [custom.house] later\n"


def test_explain_names_the_entries_that_speak_of_it(capsys: Said) -> None:
    assert cli.main(["policy", "explain", "--host", "api.test:8443", "--method", "POST"]) == 0
    told = capsys.readouterr().out
    assert 'entry api.test:8443 {"methods": ["GET"], "paths": ["/v1/*"]}' in told
    assert "deny: egress.not_allowed" in told
    assert "held by   the gate" in told


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--host", "a_\u2603..x"],
        ["check", "--host", "https://docs.test/"],
    ],
)
def test_what_is_no_host_is_refused(capsys: Said, words: list[str]) -> None:
    assert refused(capsys, "policy", *words)
