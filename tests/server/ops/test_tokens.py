"""`sandgate token`: made once, kept as a hash, with the rest of the file as it was."""

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from server.settings.http import digest
from tests.end_to_end.rig import PROGRAM

pytestmark = pytest.mark.promise("caller.known")


def sandgate(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    return subprocess.run([PROGRAM, *words], env=environ, capture_output=True, text=True, timeout=60, check=False)


def file_of(home: Path) -> Path:
    return home / ".config/sandgate/sandgate.toml"


def test_a_new_token_is_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    made = sandgate(tmp_path, "token", "new", "ann", "--role", "dev", "--role", "ops", "--days", "30")
    token = made.stdout.strip()
    (kept,) = tomllib.loads(file_of(tmp_path).read_text())["http"]["tokens"]

    assert token.startswith("sgt_")
    assert (kept["name"], kept["sha256"], kept["roles"]) == ("ann", digest(token), ["dev", "ops"])
    assert "expires" in kept
    assert token not in file_of(tmp_path).read_text()
    assert "Authorization" in made.stderr


def test_a_program_reads_who_has_one_and_no_token(tmp_path: Path) -> None:
    token = sandgate(tmp_path, "token", "new", "ann", "--days", "30").stdout.strip()
    (told,) = json.loads(sandgate(tmp_path, "token", "list", "--json").stdout)

    assert (told["name"], told["roles"], told["sha256"]) == ("ann", ["user"], digest(token))
    assert told["expires"] > "2026"


def test_the_rest_of_the_file_stays_as_it_is(tmp_path: Path) -> None:
    file_of(tmp_path).parent.mkdir(parents=True)
    file_of(tmp_path).write_text('# mine\n[policy]\nprofile = "strict"  # on purpose\n')
    sandgate(tmp_path, "token", "new", "ann")
    sandgate(tmp_path, "token", "new", "bob")
    sandgate(tmp_path, "token", "revoke", "ann")

    text = file_of(tmp_path).read_text()
    assert text.startswith('# mine\n[policy]\nprofile = "strict"  # on purpose\n')
    assert [entry["name"] for entry in tomllib.loads(text)["http"]["tokens"]] == ["bob"]


def test_the_same_name_again_takes_the_older_ones_place(tmp_path: Path) -> None:
    first, second = (sandgate(tmp_path, "token", "new", "ann") for _ in range(2))
    (kept,) = tomllib.loads(file_of(tmp_path).read_text())["http"]["tokens"]
    assert kept["sha256"] == digest(second.stdout.strip()) != digest(first.stdout.strip())
    assert "no longer good" in second.stderr


def test_the_list_shows_names_and_no_token(tmp_path: Path) -> None:
    token = sandgate(tmp_path, "token", "new", "ann").stdout.strip()
    shown = sandgate(tmp_path, "token", "list").stdout
    head, line = (row.split() for row in shown.splitlines())
    assert head == ["name", "roles", "good", "sha256"]
    assert line == ["ann", "user", "for", "ever", digest(token)[:12]]
    assert token not in shown


def test_an_empty_role_is_no_role(tmp_path: Path) -> None:
    done = sandgate(tmp_path, "token", "new", "ann", "--role", "")
    assert done.returncode == 2
    assert "--role: it is empty" in done.stderr
    assert not file_of(tmp_path).exists()


def test_who_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    done = sandgate(tmp_path, "token", "revoke", "nobody")
    assert done.returncode == 1
    assert "token list" in done.stderr


def test_a_name_that_no_setting_takes_is_refused(tmp_path: Path) -> None:
    done = sandgate(tmp_path, "token", "new", "a b")
    assert done.returncode == 1
    assert not file_of(tmp_path).exists() or "a b" not in file_of(tmp_path).read_text()
