import pytest

from policy.command import Redirect
from tests.policy.reader import read


@pytest.mark.parametrize(
    ("text", "redirect"),
    [
        ("a > out", Redirect(">", None, "/workspace/out", dynamic=False)),
        ("a 2>> ../err", Redirect(">>", 2, "/err", dynamic=False)),
        ("a &> ~/log", Redirect("&>", None, "/home/dev/log", dynamic=False)),
        ("a >| $'\\x6fut'", Redirect(">|", None, "/workspace/out", dynamic=False)),
        ("a <> /dev/tcp/h/1", Redirect("<>", None, "/dev/tcp/h/1", dynamic=False)),
        ("a 2>&1", Redirect(">&", 2, None, dynamic=False)),
        ("a >&-", Redirect(">&", None, None, dynamic=False)),
        ("a >& out", Redirect(">&", None, "/workspace/out", dynamic=False)),
        ("a >& $x", Redirect(">&", None, None, dynamic=True)),
        ('a > "$x"', Redirect(">", None, None, dynamic=True)),
        ("a > *.log", Redirect(">", None, None, dynamic=True)),
        ('a > "/tmp/$x.log"', Redirect(">", None, "/tmp/*.log", dynamic=True)),
        ('a >> "$d/run.out"', Redirect(">>", None, "/workspace/*/run.out", dynamic=True)),
        ('o="${f%.in}.out"; a > "$o"', Redirect(">", None, "/workspace/*.out", dynamic=True)),
        ('o="${f%.in}.out"; t && o=x; a > "$o"', Redirect(">", None, None, dynamic=True)),
        ('a > "$x.yml"', Redirect(">", None, None, dynamic=True)),
        ('a < "$x.txt"', Redirect("<", None, None, dynamic=True)),
        ("for i in $(seq 3); do a > out/$i; done", Redirect(">", None, "/workspace/out/1", dynamic=False)),
        ('a > "x-$(date +%F)"', Redirect(">", None, "/workspace/x-1", dynamic=False)),
        ("a < <(b)", Redirect("<", None, None, dynamic=False)),
        ("a <<< x", Redirect("<<<", None, None, dynamic=False)),
        ("a {fd}> out", Redirect(">", None, "/workspace/out", dynamic=False)),
        ("> out", Redirect(">", None, "/workspace/out", dynamic=False)),
        ("{ a; } > out", Redirect(">", None, "/workspace/out", dynamic=False)),
        ("while a; do b; done < in", Redirect("<", None, "/workspace/in", dynamic=False)),
        ("[[ -n x ]] > out", Redirect(">", None, "/workspace/out", dynamic=False)),
        ("(( 1 )) > out", Redirect(">", None, "/workspace/out", dynamic=False)),
        ("f() { a; } > out", Redirect(">", None, "/workspace/out", dynamic=False)),
        ("cd /srv && a > out", Redirect(">", None, "/srv/out", dynamic=False)),
        ("exec > out", Redirect(">", None, "/workspace/out", dynamic=False)),
        ('cd "$x" && a > out', Redirect(">", None, None, dynamic=True)),
    ],
)
def test_every_redirection_is_seen_with_the_path_it_opens(text: str, redirect: Redirect) -> None:
    assert redirect in [found for command in read(text).commands for found in command.redirects]


def test_a_target_is_named_once_for_each_directory_it_may_be_in() -> None:
    (command,) = [found for found in read("cd /srv; a > out").commands if found.name == "a"]

    assert [redirect.path for redirect in command.redirects] == ["/srv/out", "/workspace/out"]
