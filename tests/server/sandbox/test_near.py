import pytest

from server.sandbox.near import MOST_WIDTH, explain_miss

FILE = "import os\n\n\ndef total(rows):\n\tfor row in rows:\n\t\tyield row  \n\treturn None\n"


@pytest.mark.parametrize(
    ("old", "difference", "line"),
    [
        ("def total(rows):\r\n\tfor row in rows:", "line endings", 4),
        ("\t\tyield row\n\treturn None", "whitespace at the ends of lines", 6),
        ("    for row in rows:\n        yield row", "indentation", 5),
        ("def total( rows ):", "whitespace", 4),
        ("Def Total(rows):", "upper and lower case", 4),
        ("\tfor row in rows\uff1a", "look alike", 5),
        ("DEF  total(ROWS):", "whitespace, case", 4),
    ],
)
def test_the_smallest_difference_is_named_with_its_place(old: str, difference: str, line: int) -> None:
    said = explain_miss(FILE, old)

    assert difference in said.partition("\n")[0]
    assert f"line {line}" in said.partition("\n")[0]


def test_what_cannot_be_seen_is_spelled_out() -> None:
    said = explain_miss(FILE, "def total(rows):\n    for row in rows:")

    assert "5\t\tfor row in rows:" in said
    assert "First difference, line 5:\nfile: '\\tfor row in rows:'\nold:  '    for row in rows:'" in said


def test_a_near_line_is_shown_with_how_near_it_is() -> None:
    said = explain_miss(FILE, "def totals(row):\n\tfor row in rows:")

    assert said.startswith("old was not found; the nearest lines (")
    assert "4\tdef total(rows):" in said
    assert "file: 'def total(rows):'\nold:  'def totals(row):'" in said


def test_a_near_line_is_found_however_far_down_it_is() -> None:
    others = "".join(f"    value_{number} = compute(row, {number})\n" for number in range(20_000))

    assert "line 20001:\n20001\t    return finish(rows)" in explain_miss(
        f"{others}    return finish(rows)\n{others}", "    return finish(row)"
    )


def test_a_newline_that_the_last_line_does_not_have_is_named() -> None:
    assert "it ends with a newline, and line 2, the file's last, does not" in explain_miss("a\nb", "b\n")


def test_nothing_near_is_said_as_such() -> None:
    assert "nothing near it; read the file" in explain_miss(FILE, "completely unlike anything")
    assert "nothing near it" in explain_miss("", "a")
    assert "nothing near it" in explain_miss(FILE, "\n \n\t\n\n\n")


def test_line_numbers_that_were_copied_are_recognised() -> None:
    assert "without the line numbers" in explain_miss(FILE, "4\tdef total(rows):\n5\t\tfor row in rows:")


def test_long_lines_are_looked_at_and_shown_in_part() -> None:
    line = "".join(chr(0x4E00 + number % 150) for number in range(150_000))

    assert len(explain_miss(line, line + "z")) < 4 * MOST_WIDTH


def test_a_large_file_says_how_far_was_looked() -> None:
    assert "in its first 1048576 characters" in explain_miss("b\n" * (1 << 20), "completely unlike")
