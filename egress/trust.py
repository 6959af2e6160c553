"""Whom the gate believes about origins: the system's own store, which is where companies put theirs."""

import ssl
from pathlib import Path

_KNOWN = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def system_trust() -> str | None:
    """The path of the system's bundle in PEM; None leaves mitmproxy with the one that comes with it."""
    found = ssl.get_default_verify_paths().cafile
    return next((path for path in (found, *_KNOWN) if path and Path(path).is_file()), None)
