"""The settings of what sandboxes are: their bounds, their images, prepared environments, and the folders lent to them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from server.settings.egress import HostEntry
from server.settings.table import Table

OUR_IMAGES: Mapping[str, str] = {name: f"sandgate/{name}" for name in ("base", "python", "node")}


class SandboxSettings(Table):
    cpus: Annotated[float, Field(gt=0, le=256)] = 2.0
    memory_mb: Annotated[int, Field(ge=64)] = 2048
    disk_mb: Annotated[int, Field(ge=64)] = 4096  # by quota on XFS with pquota, else measured and commands stopped
    pids: Annotated[int, Field(ge=16)] = 1024
    open_files: Annotated[int, Field(ge=1024)] = 4096  # the sandbox's relay needs a thousand
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
    socket_volume: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,200}$")] | None = (
        None  # of the engine, at runtime_dir here: where the server is a container itself, as in examples/compose
    )
    require_landlock: bool = False
    weigh_disks: bool = True  # where the engine has no quota: by a container that sees every process of its machine
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
    roles: tuple[str, ...] = ()  # whose callers have it; nothing: everybody's

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
    roles: tuple[str, ...] = ()  # whose callers' sandboxes have it; nothing: everybody's
