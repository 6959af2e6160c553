"""Whom Java believes: it reads no PEM, so the gate's certificate and the system's go into a key store as well."""

import os
import tempfile
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

STORE_FILE = "java.p12"
_END = b"-----END CERTIFICATE-----\n"


def publish(folder: Path, authority: Path, roots: str | None) -> Path:
    """Write it beside the authority, whole or not at all. PKCS#12 without a password, which Java reads since 8u301."""
    path = folder / STORE_FILE
    pems = [authority.read_bytes(), *([Path(roots).read_bytes()] if roots else [])]
    found = [certificate for pem in pems for certificate in _certificates(pem)]
    named = [pkcs12.PKCS12Certificate(certificate, str(number).encode()) for number, certificate in enumerate(found)]
    handle, draft = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o644)
        file.write(pkcs12.serialize_java_truststore(named, NoEncryption()))
    return Path(draft).replace(path)


def _certificates(pem: bytes) -> list[x509.Certificate]:
    """One that cannot be read is left out: the others are trusted all the same."""
    found = []
    for piece in pem.split(_END):
        begin = piece.find(b"-----BEGIN CERTIFICATE-----")
        if begin < 0:
            continue
        try:
            with warnings.catch_warnings(action="ignore"):  # of old roots, whose serial numbers are odd
                found.append(x509.load_pem_x509_certificate(piece[begin:] + _END))
        except ValueError:
            continue
    return found
