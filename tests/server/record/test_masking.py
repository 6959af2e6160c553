import re

import pytest

from server.record.masking import NOTHING, Masking

pytestmark = pytest.mark.promise("audit.masked")


def test_a_secret_is_masked_wherever_it_stands_and_as_a_url_spells_it() -> None:
    masking = Masking(secrets=lambda: ["s3cret/with spaces", "s3cret/with"])

    assert masking.fields(
        {
            "command": "curl -H 'x: s3cret/with spaces' https://a.example/?k=s3cret%2Fwith%20spaces&l=s3cret%2Fwith+spaces",
            "argv": ["a", ("s3cret/with",), {"s3cret/with": None}, 7],
        }
    ) == {"command": "curl -H 'x: ***' https://a.example/?k=***&l=***", "argv": ["a", ["***"], {"***": None}, 7]}


def test_the_operators_patterns_are_masked_in_every_text() -> None:
    masking = Masking((re.compile("ghp_[a-z0-9]{4,}"), re.compile("(?i)password=[^ ]+")))

    assert masking.fields({"a": "x ghp_abcd1 PassWord=x y", "b": ["ghp_", True]}) == {
        "a": "x *** *** y",
        "b": ["ghp_", True],
    }


def test_what_is_too_short_to_be_told_from_other_texts_is_not_looked_for() -> None:
    assert Masking(secrets=lambda: ["abc"]).fields({"a": "abc"}) == {"a": "abc"}


def test_without_secrets_and_patterns_nothing_is_copied() -> None:
    fields = {"a": ["b"]}

    assert NOTHING.fields(fields) is fields


def test_a_secret_that_changes_is_masked_from_then_on() -> None:
    values = ["first-value"]
    masking = Masking(secrets=lambda: values)
    assert masking.fields({"a": "first-value second-value"}) == {"a": "*** second-value"}
    values.append("second-value")

    assert masking.fields({"a": "first-value second-value"}) == {"a": "*** ***"}


@pytest.mark.parametrize("spelled", ["k/1%2B2%3D%22%C3%A4", "k%2f1%2b2%3d%22%c3%a4", 'k/1+2=\\"ä', 'k/1+2=\\"\\u00e4'])
def test_a_secret_is_masked_in_each_spelling_of_a_url_and_of_json(spelled: str) -> None:
    masking = Masking(secrets=lambda: ('k/1+2="ä',))

    assert masking.fields({"path": f"a {spelled} b"}) == {"path": "a *** b"}
