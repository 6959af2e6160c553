"""The link to the gate as the settings say, and the lines of the audit that it causes."""

import hmac
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from server.keyring import Keyring
from server.record.audit import Audit
from server.sandbox.egress_link import EgressLink
from server.sandbox.manifest import key_of
from server.sandbox.placeholders import Lent, Placeholders
from server.sandbox.sessions import Sessions
from server.settings import ENVIRON, Settings

MAX_REFUSED_HOSTS = 5  # that one result mentions


class Late:
    """The sessions, which are made after the link that reports on them."""

    sessions: Sessions | None = None


def authority(settings: Settings) -> Path:
    return settings.state_dir / "ca"


def lent_by(settings: Settings) -> Placeholders:
    """A server's end changes none: its sessions go on, and so do files of theirs that hold one."""
    lent = tuple(Lent(secret.name, secret.variable, secret.prefix) for secret in settings.secret)
    return Placeholders(lent, hmac.digest(key_of(settings.state_dir), b"placeholders", "sha256"))


def system_roots() -> Path | None:
    found = ssl.get_default_verify_paths()
    return Path(found.cafile) if found.cafile else None


def egress_link(
    settings: Settings, audit: Audit, late: Late, keyring: Keyring, asked: Callable[[Mapping[str, Any]], None]
) -> EgressLink:
    egress = settings.egress
    return EgressLink(
        ca_dir=authority(settings),
        on_event=lambda event: asked(event) if event["event"] == "ask" else _record_flow(event, audit, late),
        upstream_ca=egress.upstream_ca,
        networks=egress.networks,
        resolve=egress.resolve,
        mode=egress.mode,
        limits=egress.limits,
        environment={name: ENVIRON[name] for name in ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in ENVIRON},
        secrets=keyring.all,
        at=egress.gate,
    )


def _how_to_allow(event: dict[str, Any]) -> str:
    if event.get("approval"):
        return ""  # its reason says it
    if event.get("rule") != "egress.not_allowed":
        return ""
    port = "" if event["port"] in (80, 443) else f":{event['port']}"
    return f" A person can allow it with: sandgate allow {event['host']}{port}"


def _record_flow(event: dict[str, Any], audit: Audit, late: Late) -> None:
    """A flow or a refusal becomes a line of the audit under the decision of the call that caused it.

    `attribution` says how sure that is: see egress/cause.py. Where several may have been it, all of them are named.
    """
    session = late.sessions.of_sandbox(str(event["session"])) if late.sessions else None
    decisions = [str(decision) for decision in event.get("decisions") or ()]
    jobs = [job for job in session.jobs.values() if job.decision_id in decisions] if session else []
    kind = f"egress.{event['event']}"  # flow, sending, refused
    facts = {name: value for name, value in event.items() if name not in ("event", "session", "decisions")}
    audit.write(
        kind,
        {
            "decision_id": decisions[0] if len(decisions) == 1 else None,
            **({"decision_ids": decisions} if len(decisions) > 1 else {}),
            "caller": session.owner if session else None,
            "session": session.name if session else None,
            "sandbox": event["session"],
            "jobs": [job.name for job in jobs],
            **facts,
        },
    )
    if kind == "egress.refused":
        told = f"{event['host']}:{event['port']}: {event['reason']}{_how_to_allow(event)}"
        for job in jobs:
            if told not in job.refused_hosts and len(job.refused_hosts) < MAX_REFUSED_HOSTS:
                job.refused_hosts.append(told)
