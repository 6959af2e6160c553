"""What a server over HTTP says of itself before it serves; that it serves is shown end to end."""

from pathlib import Path

import pytest

from server.front.http import Address, warnings
from server.settings.http import HttpSettings

pytestmark = pytest.mark.promise("weakening.said")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_plain_http_is_no_weakening(host: str) -> None:
    assert warnings(HttpSettings(), Address(host, 8765)) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "sandgate.example"])
def test_elsewhere_plain_http_is_said(host: str) -> None:
    (sentence,) = warnings(HttpSettings(), Address(host, 8765))
    assert "tls_cert" in sentence
    assert warnings(HttpSettings(tls_cert=Path("/x.pem")), Address(host, 8765)) == []


def test_an_address_is_written_as_urls_have_it() -> None:
    assert (str(Address("::1", 1)), str(Address("localhost", 2))) == ("[::1]:1", "localhost:2")
