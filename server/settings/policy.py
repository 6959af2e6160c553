"""The settings of the policy: a profile, lists of commands, rules for paths, and who decides."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from server.settings.table import Table


class PathRule(Table):
    """A path rule of the operator: which paths (a glob), for which operations, with which effect."""

    glob: str
    ops: tuple[Literal["read", "write", "delete", "list"], ...] = ("read", "write", "delete", "list")
    effect: Literal["allow", "ask", "deny"]
    role: str | None = None
    environment: str | None = None


class PolicySettings(Table):
    profile: Literal["open", "standard", "strict"] = "standard"
    allow: tuple[str, ...] = ()  # commands by name and sub-command: "git push"
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    paths: tuple[PathRule, ...] = ()
    custom: tuple[Path, ...] = ()  # folders with Rego of your own, package sandgate_custom
    opa_url: str | None = None  # an OPA server that decides instead of the embedded engine
    opa_ca: Path | None = None  # whom to trust there, instead of the system's authorities
    opa_cert: Path | None = None  # certificate and key in one PEM, to come with
    opa_token_file: Path | None = None
    opa_deadline_s: Annotated[float, Field(gt=0, le=30)] = 1.0
