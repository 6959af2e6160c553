import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.destination import Destination
from egress.refusal import Refused
from egress.secrets import Secret, Vault
from egress.swap import Fields, Head, swapped

PLACEHOLDER = b"sandgate_" + b"0a" * 16
HOME = Destination("a.test", 443)


def swap(
    *fields: tuple[bytes, bytes],
    path: bytes = b"/",
    destination: Destination = HOME,
    secure: bool = True,
    method: bytes = b"GET",
) -> Fields:
    vault = Vault()
    vault.replace([Secret.parse({"name": "key", "host": "a.test", "headers": ["Authorization"], "value": "the-value"})])
    return swapped(Head(destination, secure, path, fields, method), {PLACEHOLDER: "key"}, vault).fields


@pytest.mark.promise("secrets.outside")
def test_it_is_swapped_wherever_in_its_header_it_stands() -> None:
    field = b"Bearer " + PLACEHOLDER + b", " + PLACEHOLDER

    assert swap((b"AUTHORIZATION", field)) == ((b"AUTHORIZATION", b"Bearer the-value, the-value"),)


@pytest.mark.parametrize("login", [b"me:" + PLACEHOLDER, PLACEHOLDER + b":", PLACEHOLDER])
def test_in_basic_credentials_padded_or_not(login: bytes) -> None:
    sent = base64.b64encode(login).rstrip(b"=")
    ((_, value),) = swap((b"authorization", b"basic " + sent))

    assert base64.b64decode(value.removeprefix(b"Basic ")) == login.replace(PLACEHOLDER, b"the-value")


@pytest.mark.promise("secrets.outside")
@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.binary(max_size=60)), max_size=5), st.binary(max_size=60)
)
def test_fields_without_a_placeholder_stay_as_they_are(fields: list[tuple[bytes, bytes]], path: bytes) -> None:
    assert swap(*fields, path=path) == tuple(fields)


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize(
    "where",
    [{"destination": Destination("b.test", 443)}, {"destination": Destination("a.test", 8443)}, {"secure": False}, {"path": b"/?" + PLACEHOLDER}, {"method": PLACEHOLDER}],
)  # fmt: skip
def test_towards_anything_else_it_is_refused(where: dict[str, object]) -> None:
    with pytest.raises(Refused, match="placeholder of the secret key may go to"):
        swap((b"authorization", PLACEHOLDER), **where)  # type: ignore[arg-type]  # one keyword each


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize("field", [(b"x-other", PLACEHOLDER), (b"authorization-" + PLACEHOLDER, b"")])
def test_in_another_header_or_the_name_of_one_it_is_refused(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(Refused, match="placeholder of the secret key may go to"):
        swap(field)
