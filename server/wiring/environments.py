"""What the settings say sandboxes are made of: an environment's specification, its preparation, its part of the network."""

from pathlib import Path

from server.sandbox.allow_list import HostNotAllowed, demand
from server.sandbox.prepared import Recipe
from server.sandbox.sandbox import MIB, USER_ID, Copy, Mount, SandboxSpec
from server.sandbox.sessions import NoSuchEnvironment
from server.sandbox.workspaces import Workspace
from server.settings.sandbox import EnvironmentSettings
from server.settings.settings import BadSettings, Settings
from server.wiring.judges import host_entries


def environments(settings: Settings, spaces: tuple[Workspace, ...]) -> dict[str, SandboxSpec]:
    """By name: every image of [sandbox], and every [environments.NAME]. Raises BadSettings."""
    box = settings.sandbox
    mounted = [space for space in spaces if isinstance(space.lent, Mount)]
    owner = next(((space.uid, space.gid) for space in mounted if space.uid), (USER_ID, USER_ID))
    return {
        name: SandboxSpec(
            image=image,
            environment=name,
            mounts=tuple(space.lent for space in mounted if isinstance(space.lent, Mount)),
            copies=tuple(space.lent for space in spaces if isinstance(space.lent, Copy)),
            secrets=tuple(secret.name for secret in settings.secret),
            cpus=box.cpus,
            memory_bytes=box.memory_mb * MIB,
            disk_bytes=box.disk_mb * MIB,
            pids=box.pids,
            open_files=box.open_files,
            ports=settings.egress.ports,
            runtime=box.runtime,
            landlock_required=box.require_landlock,
            user=owner,
        )
        for name, image in _images(settings).items()
    }


def chosen(settings: Settings, spaces: tuple[Workspace, ...]) -> SandboxSpec:
    """Of the environment that sessions have unless they say another. Raises NoSuchEnvironment, BadSettings."""
    offered = environments(settings, spaces)
    if settings.environment not in offered:
        raise NoSuchEnvironment(
            f"there is no environment {settings.environment}; the settings offer {', '.join(offered)}"
        )
    return offered[settings.environment]


def _images(settings: Settings) -> dict[str, str]:
    known = settings.sandbox.images
    return {**known, **{name: _image(name, table, known) for name, table in settings.environments.items()}}


def _image(name: str, table: EnvironmentSettings, known: dict[str, str]) -> str:
    if table.image is None and name not in known:
        raise BadSettings(f'environments.{name} has no image: write image = "python", or any image the engine has')
    wanted = table.image or name
    return known.get(wanted, wanted)


def recipes(settings: Settings, spaces: tuple[Workspace, ...]) -> dict[str, Recipe]:
    """What is done to each environment's image once, for everybody. `cache_on` is about everybody's first workspace."""
    open_to_all = [space for told, space in zip(settings.workspace, spaces, strict=False) if not told.roles]
    root = Path(open_to_all[0].lent.source) if open_to_all else None
    secrets = tuple(secret.name for secret in settings.secret if not secret.roles)
    return {
        name: Recipe(name, table.setup, table.cache_on, root, table.setup_timeout_s, secrets)
        for name, table in settings.environments.items()
        if table.setup
    }


def networks(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The hosts of those environments that have some of their own. Raises BadSettings for one that is not allowed."""
    named = {name: table.network for name, table in settings.environments.items() if table.network}
    allow = tuple(host_entries(settings.egress))
    for name, hosts in named.items() if settings.egress.mode == "enforce" else ():
        try:
            demand(allow, hosts)
        except HostNotAllowed as exc:
            raise BadSettings(f"environments.{name}.network: {exc}; add it with: sandgate allow HOST") from exc
    return named
