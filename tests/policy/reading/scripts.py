"""Scripts made up at random for the differential test, of pieces that meet where readers go wrong."""

from hypothesis import strategies as st

_TOKENS = (
    "say ", "one ", "x=1 ", "\n", "\\\n", " # c\\\n", "#", "\\", "; ", "&& ", "|| ", "| ", "& ", "! ", "(", ")", "{ ",
    "; }", "$(", "`", '"', "'", "$'", "<<E\n", "\nE\n", "<<'E'\n", "if ", "; then ", "; fi", "time ", "$x", "${x:-",
    "}", "$((1", "))", "[[ ", " ]]", "f() { ", "; }; f", "{a,b}", "{1..3}", "~", "=", "*", "[", "]", "\t", "\r",
    "eval '", "2>&1 ", ">o ", "\\'", "case a in a) ", ";; esac", "declare ", "a[0]=1 ", "coproc ", "é", "$@",
    "for x in a b; do ", "; done", "x=a; ", '"$x" ', "${x}", "set -- a b; ", '"$@" ', "break; ", "unset x; ", "$1",
    "x+=b ", "local x=2; ", "read x; ", "alias say=two\n", "trap 'say 3' EXIT; ", "!x", ">&2 ", "<<<", "<(", "&>o ",
)  # fmt: skip
SOUP = st.lists(st.sampled_from(_TOKENS), min_size=1, max_size=10)


def _nested(leaves: st.SearchStrategy[str], shapes: tuple[str, ...], size: int) -> st.SearchStrategy[str]:
    """Each shape holds up to three scripts, at {0}, {1} and {2}."""
    return st.recursive(
        leaves,
        lambda inner: st.tuples(st.sampled_from(shapes), inner, inner, inner).map(_filled),
        max_leaves=size,
    )


def _filled(parts: tuple[str, str, str, str]) -> str:
    shape, *inner = parts
    for index, text in enumerate(inner):
        shape = shape.replace(f"{{{index}}}", text)
    return shape


DIRECTORY_SCRIPTS = _nested(
    st.sampled_from((
        "cd a", "cd b", "cd ..", "cd nope", "cd a/b", "cd -", "cd", "true", "false", "pushd a >o", "popd >o", "exit 0",
        "eval 'cd a'", "command cd b", "cd .. && cd b", "cd nope || exit", "g", "X=1 cd a", "trap 'probe 9' EXIT",
        "break", "continue", "return", "probe 1", "probe 2", "probe 3", "probe 4",
    )),
    (
        "{0}; {1}", "{0} && {1}", "{0} || {1}", "( {0} ); {1}", "{ {0}; {1}; }", "{0} | {1}", "! {0} || {1}",
        "if {0}; then {1}; else {2}; fi", "for i in 1 2; do {0}; {1}; done", "g() { {0}; }; {1}; g", "{0} & wait; {1}",
        "case x in y) {0};; *) {1};; esac; {2}", "n=0; while [ $((n++)) -lt 2 ]; do {0}; {1}; done",
        "for i in 1 2; do {0} && continue; {1}; done; {2}", "for i in 1 2; do {0} || break; {1}; done; {2}",
        "g() { {0} || return; {1}; }; g; {2}",
    ),
    12,
)  # fmt: skip

SCRIPTS = _nested(
    st.sampled_from((
        "say 1", "say '2 2' \"3\"", "say $'\\x41'", "say a\\ b", "say {c,d}{1..2}", "say $x", 'say "$x"', "say ${x}",
        "say ${x:-e f}", 'say "${x:-g}"', "say ${y-h} ${x:+i}", "x=j", "x='k l'", "x=m y=$x", "x=$y", "x+=n", "x=",
        "unset x", "read x <<<o", "export x=p", "declare x=q", "printf -v x r", "x=s say $x", ": ${x:=t}", "((x=1))",
        "let y=2", "set -- u 'v w'", 'say "$@"', "say $1 $#", "say $*", "shift", "x=(a 'b c')", 'say "${x[@]}"',
        "say ${x[1]}", "x+=(d)", "say $(echo z)", 'say "$(echo "$x")"', "say `echo 5`", "x=$(echo '6 7')", "$x",
        "say $((1+1))", "IFS=,", "x=a,b", "x='*'", "eval 'x=8'", 'eval "say 9 $x"', "f", "f 10", "g $x", "local x=11",
        "break", "continue", "return", "exit", "true", "false", "trap 'say 12 $x' EXIT", "trap 'x=13' DEBUG",
        "say <(say 14)", "say >o 15", "say {x}>o", "say $x 2>&1 | say 16", "declare -u x", "declare -n x=y",
        "readonly y=17", "set -f", "bash -c 'say $0 \"$@\"' 18 19", 'bash -c "say $x"', "typeset -i x", "mapfile x <<<a",
        "say \"$(cat <<'E'\na  $x\nE\n)\"", "say $(cat <<E\na \\$b\nE\n)", "say ~ ~/a", "say $HOME", "say a=~ b=$x", "say [a-z]", "getopts ab x -a", 'say "a$(say 20)b"', "wait",
        "X=1 Y=2 say 21", "say !$", "builtin eval say 22", "command say 23", "exec say 24", "x=say; $x 25",
        'say "${x[*]}"', "say ${#x}", "say ${x%a}", "bash -c 'say \"$@\"; $1' _ say 'a b'", 'say $x""', 'say ""$x', 'say "$@"x', "IFS=, eval 'say $x'", "say $y$x", "y='say 26'; $y", "source /dev/stdin <<<'x=27'",
    )),
    (
        "{0}; {1}", "{0}\n{1}", "{0} && {1}", "{0} || {1}", "( {0} ); {1}", "{ {0}; {1}; }", "{0} | {1}",
        "! {0}; {1}", "if {0}; then {1}; else {2}; fi", "for x in a 'b c'; do {0}; {1}; done; {2}",
        "for x in a b; do {0}; done", "for x in $y; do {0}; done", "for y in 1 2; do for x in 3 4; do {0}; done; {1}; done",
        "f() { {0}; {1}; }; {2}; f a b", "g() { {0}; }\n{1}\ng", "{0} & wait; {1}", "case x in y) {0};; *) {1};; esac; {2}",
        "case $x in a) {0};& b) {1};;& *) {2};; esac", "n=0; while [ $((n++)) -lt 2 ]; do {0}; {1}; done; {2}",
        "n=0; until [ $((n++)) -ge 2 ]; do {0} && continue; {1}; done; {2}", "for x in 1 2; do {0} || break; {1}; done; {2}",
        "f() { {0} || return; {1}; }; f; {2}", "x=$({0}; say 30); {1}", 'say "$({0})"; {1}', "say `say 31`; {1}",
        "eval \"$(cat <<'E'\n{0}\nE\n)\"; {1}", "say <<E\n$({0})\n$x\nE\n{1}", "say <<'E'\n{0}\nE\n{1}",
        "bash <<'E'\n{0}\nE\n{1}", "coproc { {0}; }; wait; {1}", "trap '{0}' EXIT; {1}", "time {0}; {1}",
        "shopt -s expand_aliases\nalias k='{0}'\nk\n{1}", "[[ a == $({0}) ]]; {1}", "((  $({0})1 )); {1}",
        "for ((i=0;i<2;i++)); do {0}; done; {1}", "select x in a; do {0}; break; done <<<1; {1}", "x=1; {0}; say $x; {1}",
        "say ${x:-$({0})}; {1}", "say <({0}); wait; {1}", "{0} <<<a; {1}", "{ {0}; } >o 2>&1; {1}",
        "x='say 32'; {0}; $x; {1}", "set -- 33 '34 35'; {0}; say \"$@\" $1; {1}", "say ${x:=$(say 36)} $x; {0}",
        "if x=37; {0}; then say $x; fi; {1}", "x=38 && {0} && say $x; {1}", "{0}; x=39 | {1}; say $x",
    ),
    14,
)  # fmt: skip
