"""A trap of a signal may run at any time: one that writes no variable leaves what is known, any other does not."""

import pytest

from tests.policy.reader import argvs

KNOWN, UNKNOWN = ("rm", "-rf", "build"), ("rm", "-rf", None)


@pytest.mark.parametrize(
    "trap",
    [
        "trap 'echo bye; exit 130' INT TERM",
        "trap 'kill $(jobs -p) 2>/dev/null || true' INT",
        'trap \'[ -n "$pid" ] && kill "$pid"; wait "$pid"\' INT',
        "trap 'if [[ -d x ]]; then ls x; else printf gone; fi' INT",
        "trap '{ ls; } > log 2>&1' INT",
        "trap 'trap - INT; set +e; kill -INT $$' INT",
        'stop() { local rc=$? why; echo "$rc"; }; trap stop INT',
        "trap stop INT; stop() { more; }; more() { stop; }",
        "trap 'echo ${y:-none}' DEBUG",
        "trap - INT",
    ],
)
def test_a_trap_that_writes_no_variable_leaves_what_is_known(trap: str) -> None:
    assert KNOWN in argvs(f'd=build; {trap}; rm -rf "$d"')


@pytest.mark.parametrize(
    "trap",
    [
        "trap 'd=/x' INT",
        "trap 'd=/x true' INT",
        "trap 'true && { d=/x; }' INT",
        "trap 'if a; then :; elif b; then d=/x; fi' INT",
        "trap 'if a; then :; else d=/x; fi' INT",
        "trap 'read -r d < x' INT",
        "trap 'printf -vd /x' INT",
        "trap 'printf \"$y\" /x' INT",
        "trap ': ${d:=/x}' INT",
        "trap 'for d in /x; do :; done' INT",
        "trap '((d = 1))' INT",
        "trap '[[ d=1 -eq 1 ]]' INT",
        "trap '[ -v \"a[d=1]\" ]' INT",
        "trap 'exec {d}>x' INT",
        "trap 'command export d=/x' INT",
        "trap 'eval \"$y\"' INT",
        "trap '. ./x' INT",
        "trap 'jobs -x read d' INT",
        "trap '$y' INT",
        'trap "$y" INT',
        "trap 'declare d=/x' INT",
        "trap 'trap \"d=/x\" EXIT' INT",
        "stop() { d=/x; }; trap stop INT",
        "stop() { local -n y=d; y=/x; }; trap stop INT",
        "stop() { more; }; more() { d=/x; }; trap stop INT",
        "echo() { d=/x; }; trap 'echo bye' INT",
        "trap() { d=/x; }; trap 'echo bye' INT",
        "trap stop INT; stop() { :; }; eval 'stop() { d=/x; }'",
    ],
)
def test_after_any_other_nothing_is_known(trap: str) -> None:
    assert KNOWN not in argvs(f'd=build; {trap}; rm -rf "$d"')
    assert UNKNOWN in argvs(f'd=build; {trap}; rm -rf "$d"')


def test_a_function_that_is_defined_again_behind_the_trap_counts_as_well() -> None:
    assert UNKNOWN in argvs('stop() { :; }; d=build; trap stop INT; rm -rf "$d"; stop() { d=/x; }')


def test_what_mktemp_makes_behind_the_trap_is_known_to_it() -> None:
    made = ("rm", "-rf", "/tmp/tmp.XXXXXXXXXX")

    assert argvs("trap 'rm -rf \"$d\"' EXIT INT TERM; d=$(mktemp -d)").count(made) == 1
    assert argvs('stop() { rm -rf "$T"; }; trap stop INT; T=$(mktemp -d)').count(made) == 1
