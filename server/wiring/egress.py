"""The link to the gate, and what sandboxes have of it, as the settings say."""

import hmac
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from server.flows import Late, record
from server.keyring import Keyring
from server.note import Note
from server.sandbox.egress_link import EgressLink
from server.sandbox.manifest import key_of
from server.sandbox.placeholders import Lent, Placeholders
from server.settings.settings import ENVIRON, Settings


def authority(settings: Settings) -> Path:
    """The folder of the gate's own certificate authority: its key, and ca.pem."""
    return settings.state_dir / "ca"


def lent_by(settings: Settings) -> Placeholders:
    """A server's end changes none: its sessions go on, and so do files of theirs that hold one."""
    lent = tuple(Lent(secret.name, secret.variable, secret.prefix) for secret in settings.secret)
    return Placeholders(lent, hmac.digest(key_of(settings.state_dir), b"placeholders", "sha256"))


def system_roots() -> Path | None:
    """One file of certificates; None where this machine keeps them otherwise."""
    found = ssl.get_default_verify_paths()
    return Path(found.cafile) if found.cafile else None


def egress_link(
    settings: Settings, write: Note, late: Late, keyring: Keyring, asked: Callable[[Mapping[str, Any]], None]
) -> EgressLink:
    """asked: what hears of the gate's questions. Everything else that it tells becomes a line of the audit."""
    egress = settings.egress
    return EgressLink(
        ca_dir=authority(settings),
        on_event=lambda event: asked(event) if event["event"] == "ask" else record(event, write, late),
        upstream_ca=egress.upstream_ca,
        proxy=egress.proxy.removeprefix("http://").rstrip("/"),
        networks=egress.networks,
        resolve=egress.resolve,
        mode=egress.mode,
        limits=egress.limits,
        environment={name: ENVIRON[name] for name in ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in ENVIRON},
        secrets=keyring.all,
        at=egress.gate,
    )
