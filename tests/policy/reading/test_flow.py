"""Where a command starts. The differential test beside this one asks bash itself."""

import pytest

from tests.policy.reader import commands, named


@pytest.mark.parametrize(
    ("text", "cwd", "others"),
    [
        ("cd /srv && probe", "/srv", ()),
        ("cd .. && probe", "/", ()),
        ("cd a/../b && probe", "/workspace/b", ()),
        ("cd /srv; probe", "/srv", ("/workspace",)),
        ("cd /srv || exit 1; probe", "/srv", ()),
        ("cd /srv || probe", "/workspace", ()),
        ("! cd /srv || probe", "/srv", ()),
        ("cd && probe", "/home/dev", ()),
        ("cd ~/x && probe", "/home/dev/x", ()),
        ("cd /srv && cd - && probe", "/workspace", ()),
        ("(cd /srv); probe", "/workspace", ()),
        ("cd /srv | true; probe", "/workspace", ()),
        ("cd /srv & probe", "/workspace", ()),
        ("{ cd /srv && true; } && probe", "/srv", ()),
        ("(cd /srv && probe)", "/srv", ()),
        ("x=$(cd /srv); probe", "/workspace", ()),
        ("pushd /srv && popd && probe", "/workspace", ()),
        ("pushd /a && pushd /b && popd && probe", "/a", ()),
        ("popd && probe", None, ()),
        ('cd "$dir" && probe', None, ()),
        ("CDPATH=/a; cd b && probe", None, ()),
        ("CDPATH=/a; cd ./b && probe", "/workspace/b", ()),
        ("command cd /srv && probe", "/srv", ()),
        ("builtin cd /srv && probe", "/srv", ()),
        ("eval 'cd /srv' && probe", "/srv", ()),
        ("eval $x; probe", "/workspace", (None,)),
        ("if cd /srv; then probe; fi", "/srv", ()),
        ("if cd /srv; then :; else probe; fi", "/workspace", ()),
        ("if test -d a; then cd /a && :; else cd /b && :; fi; probe", "/a", ("/workspace", "/b")),
        ("case x in a) cd /srv;; esac; probe", "/workspace", ("/srv",)),
        ("while true; do cd ..; probe; done", "/", ("/workspace", None)),
        ("for d in a b; do (cd $d && true); probe; done", "/workspace", ()),
        ("f() { cd /srv; }; f; probe", "/workspace", (None,)),
        ("f() { probe; }; cd /srv && f", "/workspace", (None,)),
        ("f() { probe; }; f", "/workspace", ()),
        ("trap probe EXIT; cd /srv", "/workspace", (None,)),
        ("cd() { :; }; cd /srv && probe", "/workspace", (None,)),
        ("shopt -s lastpipe; true | cd /srv; probe", "/workspace", ("/srv",)),
        ("env -C /srv probe", "/srv", ()),
        ("sudo -D /srv probe", "/srv", ()),
        ("find . -execdir probe ';'", None, ()),
        ("sh -c 'cd /srv && probe'", "/srv", ()),
        ("sh -c 'cd /srv'; probe", "/workspace", ()),
        ("docker exec box probe", None, ()),
        ("exec true; probe", None, ()),
    ],
)
def test_the_directory_is_followed(text: str, cwd: str | None, others: tuple[str | None, ...]) -> None:
    probe = named(text, "probe")

    assert (probe.cwd, set(probe.other_cwds)) == (cwd, set(others))


def test_too_many_possibilities_are_one_unknown() -> None:
    assert None in named("cd /a; cd /b; cd /c; cd /d; probe", "probe").other_cwds


@pytest.mark.parametrize(
    "text", ["HOME=/x; ls ~", "read HOME; ls ~", "unset HOME; ls $HOME", "sudo sh -c 'ls ~'", "ssh h 'ls ~'"]
)
def test_a_home_that_may_have_changed_is_not_resolved(text: str) -> None:
    assert named(text, "ls").argv[-1] is None


def test_pwd_is_the_directory_where_that_is_known() -> None:
    assert [command.argv for command in commands("ls $PWD; cd /srv && ls $PWD/x; cd $x; ls $PWD")] == [
        ("ls", "/workspace"),
        ("cd", "/srv"),
        ("ls", "/srv/x"),
        ("cd", None),
        ("ls", None),
    ]
