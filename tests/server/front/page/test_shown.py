"""Whatever a template prints is text, with nothing in it that hides."""

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from server.front.page.shown import plural, size, templates

pytestmark = pytest.mark.promise("page.text")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("</pre><script>alert(1)</script>", "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;"),
        ('" onload="x', "&#34; onload=&#34;x"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\u202eb\u200b", r"a\u202eb\u200b"),
        ("one\ttwo\nthree", "one\ttwo\nthree"),
        ("\ud800", r"\ud800"),
        ("naïve 名", "naïve 名"),
        (7, "7"),
        (Markup("<b>ours</b>"), "<b>ours</b>"),
    ],
)
def test_every_printed_value_is_escaped_and_visible(value: object, shown: str) -> None:
    assert templates().from_string("{{ value }}").render(value=value) == shown


def test_a_forgotten_value_is_an_error_and_no_empty_place() -> None:
    with pytest.raises(UndefinedError):
        templates().from_string("{{ nothing }}").render()


def test_no_template_prints_a_value_unescaped() -> None:
    made = templates()
    assert made.loader is not None
    for name in made.list_templates():
        source, _, _ = made.loader.get_source(made, name)
        assert "safe" not in source.replace("safely", ""), name
        assert "autoescape" not in source, name


def test_numbers_for_people() -> None:
    assert [size(count) for count in (0, 999, 1500, 150_000, 2_500_000, 3e12)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "150 kB",
        "2.5 MB",
        "3.0 TB",
    ]
    assert [plural(1, "flow"), plural(2, "flow"), plural(1200, "decision")] == ["1 flow", "2 flows", "1,200 decisions"]
