"""A text that plain sh reads otherwise than bash is not read at all: dash runs what our grammar takes for an expression."""

import shutil
import subprocess

import pytest

from tests.policy.reader import read

pytestmark = pytest.mark.promise("policy.default_deny")
OTHERWISE = [
    "((x))",
    "[[ x ]]",
    "echo $'a\\' ; echo RAN #'",
    "echo $[1+1]",
    "if true; then ((x)); fi",
    'echo "$( ((x)) )"',
]
RUN_BY_SH = ["((echo RAN))", "[[ x || echo RAN ]]", "echo $'a\\' ; echo RAN #'", "echo $[ ; echo RAN ]"]


@pytest.mark.parametrize("text", OTHERWISE)
@pytest.mark.parametrize("shell", ["sh", "dash", "/bin/sh", "busybox ash"])
def test_what_plain_sh_takes_for_something_else_is_unread(text: str, shell: str) -> None:
    quoted = text.replace("'", "'\\''")
    script = read(f"{shell} -c '{quoted}'").script
    assert script.parse_error is not None
    assert "otherwise than bash" in script.parse_error


@pytest.mark.parametrize("text", OTHERWISE)
def test_bash_reads_it_as_we_do(text: str) -> None:
    quoted = text.replace("'", "'\\''")
    for whole in (text, f"bash -c '{quoted}'", f"trap '{quoted}' EXIT"):
        assert "otherwise" not in (read(whole).script.parse_error or "")


@pytest.mark.parametrize(
    "whole",
    [
        "sh <<'E'\n((id))\nE",
        "echo '((id))' > x; sh <<< '((id))'",
        "find . -exec sh -c '((id))' \\;",
        "sh -c 'eval \"((id))\"'",
        "git -c alias.x='!((id))' x",
        "watch '((id))'",
    ],
)
def test_so_it_is_wherever_sh_gets_the_text_from(whole: str) -> None:
    assert read(whole).script.parse_error is not None


def test_plain_text_is_read_as_ever() -> None:
    assert read("sh -c 'cd src && ls -l \"$1\" | wc -l' _ x").script.parse_error is None


@pytest.mark.parametrize("text", RUN_BY_SH)
def test_what_plain_sh_runs_of_it_is_never_left_out(text: str) -> None:
    quoted = text.replace("'", "'\\''")
    assert read(f"sh -c '{quoted}'").script.parse_error is not None


@pytest.mark.skipif(shutil.which("dash") is None, reason="the witness is not installed")
@pytest.mark.parametrize("text", RUN_BY_SH)
def test_dash_is_the_witness(text: str) -> None:
    done = subprocess.run(["dash", "-c", text], capture_output=True, text=True, timeout=60, check=False)
    assert "RAN" in done.stdout.replace("]", " ").split()
