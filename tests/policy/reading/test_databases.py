"""Commands that clients of databases run on this machine, in their words and in what they are given to read."""

import pytest

from tests.policy.reader import argvs

SEEN = ("touch", "x")


@pytest.mark.parametrize(
    "text",
    [
        "sqlite3 a.db '.shell touch x'",
        "sqlite3 a.db '.sh touch x'",
        "duckdb a.db '.system touch x'",
        "sqlite3 a.db <<< '.shell touch x'",
        "sqlite3 a.db <<'S'\nselect 1;\n.output | touch x\nS",
        "echo '.system touch x' | sqlite3 a.db",
        "psql -h localhost <<< '\\! touch x'",
        "psql -h localhost <<'S'\nselect 1 \\g | touch x\nS",
        "psql -h localhost <<'S'\n\\o | touch x\nS",
        "psql -h localhost <<'S'\ncopy t to program 'touch x';\nS",
        "mysql <<'S'\nsystem touch x\nS",
        "mariadb <<< '\\! touch x'",
    ],
)
def test_a_command_that_is_told_to_a_client_is_read(text: str) -> None:
    assert SEEN in argvs(text)


@pytest.mark.parametrize(
    "text",
    [
        "sqlite3 a.db <<'S'\n.mode column\nselect a || 'touch x' from t;\nS",
        "psql -h localhost <<'S'\n\\d users\nselect 'program touch x';\nS",
        "mysql <<'S'\nselect 'system touch x';\nS",
        "cat <<< '\\! touch x'",
        "sqlite3 a.db < x.sql",
    ],
)
def test_statements_are_none(text: str) -> None:
    assert len(argvs(text)) == 1
