from pathlib import Path

from cryptography.hazmat.primitives.serialization import pkcs12

from egress.authority import ready
from egress.java_trust import publish
from egress.trust import system_trust


def test_a_key_store_has_the_gates_certificate_and_those_of_the_system(tmp_path: Path) -> None:
    authority, roots = ready(tmp_path), tmp_path / "roots.pem"
    roots.write_text(
        "# a comment\n" + authority.read_text() * 2 + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )

    _, _, alone = pkcs12.load_key_and_certificates(publish(tmp_path, authority, None).read_bytes(), None)
    _, _, more = pkcs12.load_key_and_certificates(publish(tmp_path, authority, str(roots)).read_bytes(), None)

    assert (len(alone), len(more)) == (1, 3)
    assert alone[0].subject.rfc4514_string() == "CN=Sandgate local CA"


def test_the_systems_own_bundle_can_be_written(tmp_path: Path) -> None:
    assert publish(tmp_path, ready(tmp_path), system_trust()).stat().st_mode & 0o777 == 0o644
