import re

import pytest

from server.sandbox.pattern import read_pattern
from server.sandbox.sandbox import FileRefused


@pytest.mark.parametrize(
    ("text", "rust", "python"),
    [
        (r"def \w+\(", None, None),
        ("function() {", r"function() \{", r"function() \{"),
        ("a{2,3}b{4}?", None, None),
        ("x{,3}", r"x\{,3}", r"x\{,3}"),
        ("[^[]+", r"[^\[]+", r"[^\[]+"),
        ("[]a]", r"[\]a]", r"[\]a]"),
        ("[a&&b~~c]", r"[a\&\&b\~\~c]", r"[a\&\&b\~\~c]"),
        ("[[:alpha:]_]", "[[:alpha:]_]", "[a-zA-Z_]"),
        ("(?i)error", None, None),
        ("(?<year>[0-9]+)", "(?<year>[0-9]+)", "(?P<year>[0-9]+)"),
        (r"\A\bx\z", r"^\bx$", r"^\bx$"),
        (r"\<x\>", r"\<x\>", r"\b(?=\w)x\b(?<=\w)"),
        (r"a\ \/\"b\%", 'a /"b%', 'a /"b%'),
        (r"\x{e9}", r"\x{e9}", "é"),
        ("größe|😀", None, None),
    ],
)
def test_a_pattern_is_spelled_alike_for_both_engines(text: str, rust: str | None, python: str | None) -> None:
    pattern = read_pattern(text)

    assert (pattern.rust, pattern.python) == (rust or text, python or text)
    re.compile(pattern.python)


def test_what_only_ripgrep_knows_has_no_python() -> None:
    assert read_pattern(r"\p{Greek}+[\p{Lu}x]").python == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("foo(", r"for that very text write foo\("),
        ("a[1", r"[ at character 2 is never closed; for that very text write a\[1"),
        ("*x", "nothing to repeat"),
        ("(?<=a)b", "look-around"),
        ("(?!a)", "look-around"),
        (r"(a)\1", "back-references"),
        ("(?P=name)", "back-references"),
        (r"a\nb", "never match"),
        ("a\nb", "never match"),
        ("a++", "needs a group"),
        ("a{2}{3}", "needs a group"),
        ("a(?i)b", "at the beginning"),
        ("(?x)a", "flags are"),
        ("\ud800", "surrogate"),
        (r"\x{110000}", "no character"),
        ("x\\", "no regular expression"),
    ],
)
def test_what_is_refused_says_what_to_write(text: str, said: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read_pattern(text)

    assert said in str(refused.value)
