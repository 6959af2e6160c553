import pytest

from egress.destination import Destination
from egress.secrets import MOST_RETIRED, BadSecret, Secret, Vault

TOLD = {"name": "key", "host": "a.test", "headers": ["X-Key"], "paths": ["/v1/*"], "value": "0123456789"}


@pytest.mark.promise("secrets.outside")
def test_a_secret_never_shows_its_value() -> None:
    secret = Secret.parse(TOLD)

    assert secret.values == (b"0123456789",)
    assert "0123456789" not in f"{secret!r} {secret} {[secret]}"


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize("value", ["short", "a" * 8193, "with\nnewline", "with\0zero", "snow☃man-0123", 12345678])
def test_a_value_that_a_header_cannot_carry_is_refused_and_not_quoted(value: object) -> None:
    with pytest.raises(BadSecret) as told:
        Secret.parse({**TOLD, "value": value})

    assert str(value) not in str(told.value)


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize(
    "more", [{"host": "a.test:80"}, {"host": "*.a.test"}, {"headers": []}, {"headers": ["a b"]}, {"paths": ["v1"]}]
)
def test_what_binds_it_to_nothing_certain_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(BadSecret, match="key"):
        Secret.parse({**TOLD, **more})


def test_old_values_are_remembered_for_a_while() -> None:
    vault = Vault()
    for number in range(10):
        vault.replace([Secret.parse({**TOLD, "value": f"value-no-{number}"})])

    (secret,) = vault.at(Destination("a.test", 443))
    assert secret.values == tuple(f"value-no-{number}".encode() for number in (9, 8, 7, 6))
    assert len(secret.values) == 1 + MOST_RETIRED
    assert vault.at(Destination("a.test", 8443)) == ()
