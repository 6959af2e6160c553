"""Every setting, its default, where it may come from, and the sentence that each weakening costs.

The only reader of the environment. Weakest first: defaults, /etc/sandgate/sandgate.toml, the user's own file, --config
or SANDGATE_CONFIG, SANDGATE_* variables; last /etc/sandgate/managed.toml, which nothing else can change. Never the
current directory: a cloned repository could loosen its own cage.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from server.network_settings import RAW, EgressSettings, HostEntry, SecretSettings, Table

SYSTEM = Path("/etc/sandgate/sandgate.toml")
MANAGED = Path("/etc/sandgate/managed.toml")
PREFIX = "SANDGATE_"
TOP_LEVEL = ("state_dir", "runtime_dir", "results", "tools", "environment")  # what has a variable of its own
MIB = 1 << 20
OUR_IMAGES: Mapping[str, str] = {name: f"sandgate/{name}" for name in ("base", "python", "node")}

# The process environment, read here and handed on: nothing else looks at it.
ENVIRON: Mapping[str, str] = os.environ  # noqa: TID251 - this is the one reader
HOME = Path(ENVIRON.get("HOME") or "/")


class BadSettings(Exception):
    """A settings file or variable does not say something that can be used."""


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


class SandboxSettings(Table):
    cpus: Annotated[float, Field(gt=0, le=256)] = 2.0
    memory_mb: Annotated[int, Field(ge=64)] = 2048
    disk_mb: Annotated[int, Field(ge=64)] = 4096  # by quota on XFS with pquota, else measured and commands stopped
    pids: Annotated[int, Field(ge=16)] = 1024
    open_files: Annotated[int, Field(ge=64)] = 4096
    grace_s: Annotated[float, Field(gt=0, le=3600)] = 30.0  # how long a sandbox waits for a lost server
    freeze_after_s: Annotated[float, Field(ge=0)] = 120.0  # without use; 0: never
    park_after_s: Annotated[float, Field(ge=0)] = 1200.0  # the same; its files are kept and its sandbox is gone
    keep_parked_s: Annotated[float, Field(ge=0)] = 14 * 86400.0  # since it was last used; 0: for ever
    idle: Annotated[int, Field(ge=0, le=64)] = 1  # at least that many warm of each kind in use; 0: none
    most_idle: Annotated[int, Field(ge=1, le=64)] = (
        8  # where many are claimed, as many as of late but no more than this
    )
    made_at_once: Annotated[int, Field(ge=1, le=32)] = 4
    images: dict[str, str] = Field(default_factory=lambda: dict(OUR_IMAGES))  # given, it replaces ours
    runtime: str | None = None
    require_landlock: bool = False
    keep_snapshots_s: Annotated[float, Field(ge=0)] = 30 * 86400.0  # since they were last used; 0: for ever
    keep_prepared_s: Annotated[float, Field(ge=0)] = 30 * 86400.0


class EnvironmentSettings(Table):
    """[environments.NAME]: an image, and what is done to it once before sessions start from the result."""

    image: str | None = None  # a name of sandbox.images, or an image the engine has; nothing: the image of this NAME
    setup: tuple[str, ...] = ()  # commands, judged as any other; they see the files of cache_on in /workspace
    cache_on: tuple[str, ...] = ()  # files of the first workspace: where one changes, setup runs again
    network: tuple[HostEntry, ...] = ()  # out of egress.allow, for setup and for sessions; nothing: all of it
    idle: Annotated[int, Field(ge=0, le=64)] | None = None  # warm ones of it; nothing: sandbox.idle
    setup_timeout_s: Annotated[float, Field(gt=0, le=7200)] = 900.0  # of each command

    @field_validator("cache_on")
    @classmethod
    def _inside(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name or name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")):
                raise ValueError(f"{name!r} is not a file below the workspace: write requirements.txt or app/lock.json")
        return names


class WorkspaceSettings(Table):
    path: Path
    mode: Literal["copy", "rw", "ro"] = "copy"


class LimitSettings(Table):
    calls_per_second: Annotated[float, Field(gt=0)] = 50.0
    burst: Annotated[int, Field(ge=1)] = 200
    concurrent: Annotated[int, Field(ge=1)] = 64
    sessions: Annotated[int, Field(ge=1)] = 100
    snapshots: Annotated[int, Field(ge=1, le=1000)] = 20  # of one caller; the oldest gives way
    snapshots_mb: Annotated[int, Field(ge=64)] = 16384  # all of one caller's together, beside what their images share


class AuditSettings(Table):
    fsync: Literal["always", "interval"] = "interval"


class ApprovalSettings(Table):
    pending_s: Annotated[float, Field(ge=10, le=86400)] = (
        900.0  # a question waits so long, and so does a yes for its call
    )


class TokenSettings(Table):
    """[[http.tokens]]: one caller's static token, as `sandgate token new` writes it. The token itself is nowhere."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@-]{1,64}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    roles: tuple[str, ...] = ("user",)
    expires: date | None = None  # the first day on which it is no longer good, in UTC


class JwtSettings(Table):
    """[http.jwt]: whose signed tokens are believed, and what their groups mean here."""

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    audience: str
    jwks_url: str | None = None  # nothing: as the issuer's OpenID configuration says
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"], ...] = ("RS256", "ES256")
    groups_claim: str = "groups"
    roles: dict[str, str] = Field(default_factory=dict)  # group -> role; a caller in none of them is a "user"
    leeway_s: Annotated[float, Field(ge=0, le=300)] = 30.0  # by which clocks may differ


class HttpSettings(Table):
    hosts: tuple[str, ...] = ()  # names that clients call this server by, beside localhost
    origins: tuple[str, ...] = ()  # web pages that may call it
    public_url: str | None = None  # how clients reach it, where a proxy stands before it
    tls_cert: Path | None = None  # a PEM chain; tls_key: its key
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()  # addresses whose X-Forwarded-* are believed
    body_mb: Annotated[int, Field(ge=1, le=512)] = 8  # of one request
    tokens: tuple[TokenSettings, ...] = ()
    jwt: JwtSettings | None = None


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
    approvals: ApprovalSettings = ApprovalSettings()
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
                (self.policy.opa_url or "").startswith("http://"),
                "policy.opa_url is plain http: whoever sits between answers for the policy.",
            ),
            *(
                (
                    bool(url and url.startswith("http://")),
                    f"{key} is plain http: whoever sits between says who a caller is.",
                )
                for key, url in self._identity_urls()
            ),
            (
                self.egress.upstream_ca is not None,
                f"egress.upstream_ca: whoever holds a key of {self.egress.upstream_ca} can answer for any allowed host.",
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


@dataclass(frozen=True, slots=True)
class Source:
    """Where a server's settings came from, so that it can read them again."""

    config: Path | None
    overrides: Mapping[str, Any]

    def read(self) -> "Settings":
        return load(self.config, self.overrides)

    @property
    def files(self) -> tuple[Path, ...]:
        return settings_files(self.config)


def user_file(environ: Mapping[str, str] = ENVIRON, home: Path = HOME) -> Path:
    """The user's own settings, where `sandgate allow` adds its lines."""
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "sandgate" / "sandgate.toml"


def settings_files(
    config: Path | None = None, environ: Mapping[str, str] = ENVIRON, home: Path = HOME
) -> tuple[Path, ...]:
    """Every file that the settings come from, weakest first, there or not."""
    named = config or (Path(environ["SANDGATE_CONFIG"]) if environ.get("SANDGATE_CONFIG") else None)
    return (SYSTEM, user_file(environ, home), *([named] if named else []), MANAGED)


def default_state(environ: Mapping[str, str] = ENVIRON, home: Path = HOME) -> Path:
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "sandgate"


def default_runtime(environ: Mapping[str, str] = ENVIRON) -> Path:
    """A folder for sockets, short because the kernel allows 107 bytes for their paths."""
    if os.geteuid() == 0:
        return Path("/run/sandgate")
    return Path(environ.get("XDG_RUNTIME_DIR") or f"/tmp/sandgate-{os.geteuid()}") / "sandgate"  # noqa: S108 - 0700, owner checked


def load(
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = ENVIRON,
    home: Path = HOME,
) -> Settings:
    """The settings in force. Raises BadSettings with one sentence that names the file and the key."""
    *files, managed = settings_files(config, environ, home)
    named = config or environ.get("SANDGATE_CONFIG")
    if named and not Path(named).is_file():
        raise BadSettings(f"{named} is not a file; give --config the path of a sandgate.toml")
    merged: dict[str, Any] = {"state_dir": default_state(environ, home), "runtime_dir": default_runtime(environ)}
    for path in files:
        merged = _merge(merged, _read(path), join=True)
    merged = _merge(merged, _variables(environ))
    merged = _merge(merged, dict(overrides or {}))
    merged = _merge(merged, _read(managed))
    return _checked(merged, "the settings")


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:  # not there to be read, not UTF-8, or not TOML
        raise BadSettings(f"{path} cannot be read: {exc}") from exc
    document = _environments_apart(document)
    _checked(document, str(path))  # so that a bad key is blamed on the file it is in
    return document


def _environments_apart(document: dict[str, Any]) -> dict[str, Any]:
    """[environment.NAME] is read as [environments.NAME]. TOML has no place for `environment = "NAME"` beside it, so there
    `environment.default` chooses."""
    told = document.get("environment")
    if not isinstance(told, dict):
        return document
    tables = {name: table for name, table in told.items() if name != "default"}
    chosen = {"environment": told["default"]} if "default" in told else {}
    rest = {name: value for name, value in document.items() if name != "environment"}
    return {**rest, **chosen, "environments": tables}


def _variables(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in TOP_LEVEL:
        if text := environ.get(PREFIX + name.upper()):
            found[name] = tuple(text.split(",")) if name == "tools" else text
    if profile := environ.get(PREFIX + "PROFILE"):
        found["policy"] = {"profile": profile}
    return found


def _merge(below: dict[str, Any], above: Mapping[str, Any], *, join: bool = False) -> dict[str, Any]:
    """Tables are merged key by key; a value above replaces the one below, or with `join` a list of a table goes on it.

    So a user's list adds to the system's, and the managed file, merged without `join`, has the last word.
    """
    merged = dict(below)
    for name, value in above.items():
        inner = merged.get(name)
        if isinstance(inner, dict) and isinstance(value, Mapping):
            merged[name] = {**_merge(inner, value), **(_joined(inner, value) if join else {})}
        else:
            merged[name] = value
    return merged


def _joined(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, list[Any]]:
    shared = {name: (below[name], above[name]) for name in below.keys() & above.keys()}
    lists = {name: pair for name, pair in shared.items() if all(isinstance(value, list) for value in pair)}
    return {name: [*low, *(value for value in high if value not in low)] for name, (low, high) in lists.items()}


def _checked(document: Mapping[str, Any], source: str) -> Settings:
    try:
        return Settings.model_validate(document)
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        hint = (
            "is not a setting; see `sandgate init --print` for all of them"
            if first["type"] == "extra_forbidden"
            else first["msg"]
        )
        raise BadSettings(f"{source}: {key} {hint}") from exc
