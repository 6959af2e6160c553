"""What `sandgate completion` prints, asked by the shells themselves where they are there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server import cli
from server.commands import NAMED
from server.record.approval_rows import ApprovalRows
from server.record.snapshot_rows import SnapshotRows
from server.record.suspicion_rows import SuspicionRows
from server.settings.files import load
from tests.server.record.test_approval_rows import ROW
from tests.server.record.test_snapshot_rows import row

PROGRAM = str(Path(sys.executable).with_name("sandgate"))
CHECKS = {"bash": ("bash", "-n"), "zsh": ("zsh", "-n"), "fish": ("fish", "--no-execute")}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("completion"), "bash")


def written(folder: Path, shell: str) -> Path:
    path = folder / f"sandgate.{shell}"
    path.write_bytes(subprocess.run([PROGRAM, "completion", shell], check=True, capture_output=True, timeout=60).stdout)
    return path


def completed(script: Path, *words: str) -> set[str]:
    """What bash offers for the last word."""
    asked = f"""
source {script}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${{#COMP_LINE}}
$(complete -p sandgate | sed 's/.*-F \\([^ ]*\\).*/\\1/') sandgate "${{@: -1}}" "${{@: -2:1}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    argv = ["bash", "--noprofile", "--norc", "-c", asked, "bash", "sandgate", *words]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    return set(done.stdout.split())


def test_bash_completes_commands_their_words_and_their_options(script: Path) -> None:
    assert completed(script, "po") == {"policy"}
    assert {"check", "explain", "test"} <= completed(script, "policy", "")
    assert completed(script, "install", "cur") == {"cursor"}
    assert "--json" in completed(script, "doctor", "--")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("approvals", "allow"), {"a-1"}),
        (("approvals", "deny"), {"a-1"}),
        (("approvals", "revoke"), {"a-2"}),
        (("snapshots", "delete"), {"green"}),
        (("sessions", "release"), {"work"}),
        (("token", "revoke"), {"ann"}),
    ],
    ids=" ".join,
)
def test_names_that_there_are_are_completed(
    script: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], found: set[str]
) -> None:
    monkeypatch.setenv("PATH", f"{Path(PROGRAM).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SANDGATE_CONFIG", str(_with_names()))
    assert completed(script, *words, "") >= found
    assert completed(script, *words, "zzz") == set()


def _with_names() -> Path:
    """One of each kind, and one that a shell would obey, beside the settings that have a token."""
    database = load().database
    approvals = ApprovalRows(database)
    for number in (1, 2, 3):
        approvals.put({**ROW, "id": f"a-{number}", "bound": str(number), "ends": 4e9})
    approvals.answer("a-2", "allowed", "carl", 11, 4e9, 2)
    approvals.answer("a-3", "denied", "carl", 11, None)
    SnapshotRows(database).put(row(1, name="green"))
    suspicions = SuspicionRows(database)
    for name in ("work", "$(touch${IFS}ran)"):
        suspicions.put("ann", name, "freeze", "why", 1.0)
    settings = database.parent.parent / "named.toml"
    settings.write_text(f'[[http.tokens]]\nname = "ann"\nsha256 = "{"0" * 64}"\n')
    return settings


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("kind", NAMED)
def test_nothing_that_a_shell_would_obey_is_completed_and_no_error_is_heard(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("SANDGATE_CONFIG", str(_with_names()))
    assert cli.main(["completion", "--names", kind]) == 0
    assert "$" not in capfd.readouterr().out
    load().database.write_text("no database")
    monkeypatch.setenv("SANDGATE_CONFIG", "/nowhere")
    assert cli.main(["completion", "--names", kind]) == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", CHECKS)
def test_each_shell_reads_its_script(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    subprocess.run([*CHECKS[shell], str(written(tmp_path, shell))], check=True, capture_output=True, timeout=60)
