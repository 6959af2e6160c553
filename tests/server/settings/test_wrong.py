"""Of several wrong settings each is told, with what was found and what may stand there."""

import pytest

from server import cli
from server.settings import files as settings_files
from tests.server.ops.commands import Said

pytestmark = pytest.mark.usefixtures("machine")


def told(capsys: Said, text: str = "") -> list[str]:
    """The lines with which a command refuses these settings of the machine, the file called F."""
    settings_files.SYSTEM.write_text(text)
    assert cli.main(["token", "list"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("sandgate: ")
    return said.err.removeprefix("sandgate: ").replace(str(settings_files.SYSTEM), "F").splitlines()


def test_all_that_is_wrong_is_told_at_once(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = settings_files.user_file()
    mine.parent.mkdir(parents=True)
    mine.write_text("[sandbox]\nmemory_mb = 'much'\n")
    monkeypatch.setenv("SANDGATE_PROFILE", "lax")
    assert told(capsys, '[policy]\nprofile = "lax"\nallowed = ["ls"]\n[sandbox]\npids = -1\n') == [
        "F: policy.profile should be 'open', 'standard' or 'strict', not 'lax'",
        "F: policy.allowed is not a setting; did you mean allow?",
        "F: sandbox.pids should be greater than or equal to 16, not -1",
        f"{mine}: sandbox.memory_mb should be a valid integer, unable to parse string as an integer, not 'much'",
        "the variables SANDGATE_*: policy.profile should be 'open', 'standard' or 'strict', not 'lax'",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("polciy = 3", "F: polciy is not a setting; did you mean policy?"),
        ("[approvals]\nzzz = 1", "F: approvals.zzz is not a setting; [approvals] has pending_s"),
        ("[[secret]]\nzzz = 'hunter2'", "F: secret.0.zzz is not a setting; [secret] has name, "),
        ("[[secret]]", "F: secret.0.host is missing"),
        ("egress = true", "F: egress should be a table, not true"),
        ("[egress]\nallow = {}", "F: egress.allow should be a list, not a table"),
        (
            "[egress]\nproxy = 'http://me:pw@p.test:1'",
            "F: egress.proxy is not a proxy that the gate can use: write http://",
        ),
        (
            "[egress]\nproxy = 'https://p.test'",
            "F: egress.proxy is not a proxy that the gate can use: write http://",
        ),
        (
            "[egress]\nproxy = 'http://p.test'\nmode = 'learn'",
            "F: egress mode = learn refuses only what is private, and a",
        ),
    ],
)
def test_what_may_stand_there_is_named(capsys: Said, text: str, sentence: str) -> None:
    assert any(line.startswith(sentence) for line in told(capsys, text))


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ('"x y"', "F: egress.allow.0 'x y' is not a host: "),
        ("3", "F: egress.allow.0 should be a valid string, not 3"),
        ('{ host = "a.test", mehtods = ["GET"] }', "F: egress.allow.0.mehtods is not a setting; did you mean methods?"),
    ],
)
def test_of_what_may_be_two_things_the_one_that_was_meant_is_told(capsys: Said, entry: str, sentence: str) -> None:
    (line,) = told(capsys, f"[egress]\nallow = [{entry}]")
    assert line.startswith(sentence)


def test_a_token_that_was_put_into_the_place_of_its_hash_is_not_shown(capsys: Said) -> None:
    (line,) = told(capsys, '[[http.tokens]]\nname = "ann"\nsha256 = "sgt_hunter2"\n')
    assert line.startswith("F: http.tokens.0.sha256 ")
    assert "hunter2" not in line
