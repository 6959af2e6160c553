"""What `sandgate completion` prints, asked by the shells themselves where they are there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("sandgate"))
CHECKS = {"bash": ("bash", "-n"), "zsh": ("zsh", "-n"), "fish": ("fish", "--no-execute")}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("completion"), "bash")


def written(folder: Path, shell: str) -> Path:
    path = folder / f"sandgate.{shell}"
    path.write_bytes(subprocess.run([PROGRAM, "completion", shell], check=True, capture_output=True, timeout=30).stdout)
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
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30)
    return set(done.stdout.split())


def test_bash_completes_commands_their_words_and_their_options(script: Path) -> None:
    assert completed(script, "po") == {"policy"}
    assert {"check", "explain", "test"} <= completed(script, "policy", "")
    assert completed(script, "install", "cur") == {"cursor"}
    assert "--json" in completed(script, "doctor", "--")


@pytest.mark.parametrize("shell", CHECKS)
def test_each_shell_reads_its_script(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    subprocess.run([*CHECKS[shell], str(written(tmp_path, shell))], check=True, capture_output=True, timeout=30)
