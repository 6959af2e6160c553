"""The installation's own certificate authority: made once, kept for ten years, its key readable by its owner alone."""

import datetime as dt
import os
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SUBJECT = "Sandgate local CA"
KEY_FILE = "mitmproxy-ca.pem"  # the name under which mitmproxy looks in its confdir
CERTIFICATE_FILE = "ca.pem"
_YEARS = 10
_OTHERS = 0o077


class AuthorityUnusable(Exception):
    """The certificate authority in the state directory cannot be read, or others could have read its key."""


def ready(folder: Path) -> Path:
    """Make the authority where there is none, check it where there is one; the path of its certificate, in PEM.

    Two gates that start at once end up with the same authority: the second to finish takes the first one's.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / KEY_FILE).exists():
            _make(folder)
        return _published(folder, _checked(folder / KEY_FILE))
    except (OSError, ValueError) as error:
        raise AuthorityUnusable(f"The certificate authority in {folder} is unusable: {error}.") from error


def _make(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())  # a handshake costs a tenth of what it does with RSA
    certificate = _certificate(key)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    draft = _draft(folder, secret + certificate.public_bytes(serialization.Encoding.PEM), 0o600)
    try:
        os.link(draft, folder / KEY_FILE)  # unlike a rename, this never replaces another gate's
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _draft(folder: Path, content: bytes, mode: int) -> Path:
    handle, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)
        file.write(content)
        file.flush()
        os.fsync(handle)
    return Path(name)


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SUBJECT)])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))  # clocks of sandboxes and hosts differ
        .not_valid_after(now + dt.timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _checked(path: Path) -> x509.Certificate:
    content = path.read_bytes()
    status = path.stat()
    if status.st_mode & _OTHERS or status.st_uid != os.geteuid():
        raise ValueError(f"the key in {path.name} must belong to this user and be readable by no other (chmod 600)")
    serialization.load_pem_private_key(content, None)
    certificate = x509.load_pem_x509_certificate(content)
    if certificate.not_valid_after_utc < dt.datetime.now(dt.UTC):
        raise ValueError("its certificate has expired; remove the folder and a new one is made at the next start")
    return certificate


def _published(folder: Path, certificate: x509.Certificate) -> Path:
    path = folder / CERTIFICATE_FILE
    content = certificate.public_bytes(serialization.Encoding.PEM)
    if not path.exists() or path.read_bytes() != content:
        _draft(folder, content, 0o644).replace(path)
    return path
