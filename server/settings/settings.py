"""Every setting, its default, and the sentence that each weakening costs. Where they are read from: files.py.

The only reader of the environment. Weakest first: defaults, /etc/sandgate/sandgate.toml, the user's own file, --config
or SANDGATE_CONFIG, SANDGATE_* variables; last /etc/sandgate/managed.toml, which nothing else can change. Never the
current directory: a cloned repository could loosen its own cage.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from server.in_clear import in_clear
from server.settings.anomalies import AnomalySettings
from server.settings.approvals import ApprovalSettings
from server.settings.audit import AuditSettings
from server.settings.egress import RAW, EgressSettings
from server.settings.http import HttpSettings
from server.settings.limits import LimitSettings
from server.settings.policy import PolicySettings
from server.settings.sandbox import EnvironmentSettings, SandboxSettings, WorkspaceSettings
from server.settings.secret import SecretSettings
from server.settings.table import Table
from server.settings.telemetry import TelemetrySettings

# The process environment, read here and handed on: nothing else looks at it.
ENVIRON: Mapping[str, str] = os.environ  # noqa: TID251 - this is the one reader
HOME = Path(ENVIRON.get("HOME") or "/")


class BadSettings(Exception):
    """A settings file or variable does not say something that can be used."""


type ToolGroup = Literal["shell", "jobs", "files", "sessions", "policy"]
ALL_GROUPS: tuple[ToolGroup, ...] = ("shell", "jobs", "files", "sessions", "policy")


class Settings(Table):
    state_dir: Path = Path()
    runtime_dir: Path = Path()
    environment: str = "python"
    environments: dict[str, EnvironmentSettings] = Field(default_factory=dict)
    results: Literal["auto", "text", "structured", "both"] = "auto"
    tools: tuple[ToolGroup, ...] = ALL_GROUPS
    allow_root_owned: bool = False
    policy: PolicySettings = PolicySettings()
    egress: EgressSettings = EgressSettings()
    sandbox: SandboxSettings = SandboxSettings()
    limits: LimitSettings = LimitSettings()
    audit: AuditSettings = AuditSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    approvals: ApprovalSettings = ApprovalSettings()
    anomalies: AnomalySettings = AnomalySettings()
    http: HttpSettings = HttpSettings()
    workspace: tuple[WorkspaceSettings, ...] = ()
    secret: tuple[SecretSettings, ...] = ()

    @model_validator(mode="after")
    def _read_where_secrets_go(self) -> "Settings":
        for secret in self.secret:
            host = f"{RAW}{secret.authority}"
            if host in (entry.lower() for entry in self.egress.raw):
                raise ValueError(
                    f"the secret {secret.name} goes to {secret.authority}, which egress.allow passes unread ({host})"
                )
        return self

    @field_validator("secret")
    @classmethod
    def _apart(cls, secrets: tuple[SecretSettings, ...]) -> tuple[SecretSettings, ...]:
        for said in ("name", "variable"):
            texts = [getattr(secret, said) for secret in secrets]
            for text in texts:
                if texts.count(text) > 1:
                    raise ValueError(f"two secrets have the {said} {text}")
        return secrets

    @property
    def audit_file(self) -> Path:
        return self.state_dir / "audit" / "audit.jsonl"

    @property
    def database(self) -> Path:
        """What outlives a server beside the audit."""
        return self.state_dir / "sandgate.db"

    def _identity_urls(self) -> tuple[tuple[str, str | None], ...]:
        jwt = self.http.jwt
        return (("http.jwt.issuer", jwt.issuer), ("http.jwt.jwks_url", jwt.jwks_url)) if jwt else ()

    def warnings(self) -> list[str]:
        """One sentence for each control that is off or weaker than its default."""
        found = [
            (self.policy.profile == "open", "policy.profile is open: commands are not judged, only contained."),
            (
                in_clear(self.policy.opa_url or ""),
                "policy.opa_url is plain http: whoever sits between answers for the policy.",
            ),
            *(
                (
                    in_clear(url or ""),
                    f"{key} is plain http: whoever sits between says who a caller is.",
                )
                for key, url in self._identity_urls()
            ),
            (
                self.egress.upstream_ca is not None,
                f"egress.upstream_ca: whoever holds a key of {self.egress.upstream_ca} can answer for any allowed host.",
            ),
            (
                bool(self.egress.proxy),
                f"egress.proxy: {self.egress.proxy} looks names up, so a listed one may lead to a private address there.",
            ),
            (self.egress.mode == "learn", "egress.mode is learn: nothing public is refused, everything is recorded."),
            (
                bool(self.egress.raw),
                "egress.allow passes these unread, whatever is said there: " + ", ".join(self.egress.raw),
            ),
            (
                bool(self.egress.networks),
                "egress.networks lets sandboxes reach private networks: " + ", ".join(self.egress.networks),
            ),
            (
                not self.sandbox.weigh_disks,
                "sandbox.weigh_disks is off: without a quota, files without a name and room that others free hide a disk's use.",
            ),
            (self.allow_root_owned, "allow_root_owned: workspaces may belong to root."),
            *(
                (
                    space.mode == "rw",
                    (
                        f"{space.path} is a writable workspace: whatever your host runs from it later (a Makefile, a test, for "
                        "moments also what a command leaves in place of a hook or an editor's folder), an agent may have "
                        "written, and its sessions see each other's files. A copy, the default, has none of this."
                    ),
                )
                for space in self.workspace
            ),
        ]
        return [sentence for weak, sentence in found if weak]
