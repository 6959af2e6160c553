"""What sandboxes are made with, as the settings say."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

import anyio.abc

from server.record.audit import Audit
from server.record.steps import Steps
from server.record.store import Store
from server.sandbox.allow_list import AllowList, Policy
from server.sandbox.caretaker import Periods, Shares
from server.sandbox.copies import Arrived, Copies
from server.sandbox.demand import Demand
from server.sandbox.docker_engine import DockerEngine
from server.sandbox.docker_snapshots import DockerSnapshots
from server.sandbox.engine import NoEngine, find_engine
from server.sandbox.folders import Folders
from server.sandbox.freezer import Freezer
from server.sandbox.gate import Gate, variables
from server.sandbox.guards import Guards
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.installation import Installation
from server.sandbox.ledger import Ledger, scope_of
from server.sandbox.manifest import key_of
from server.sandbox.orphans import Orphans
from server.sandbox.placeholders import Placeholders
from server.sandbox.pool import Pool
from server.sandbox.resting import Resting
from server.sandbox.room import Room
from server.sandbox.sandbox import LINK_DIR, MIB, Sandbox
from server.sandbox.sessions import Sessions
from server.sandbox.snapshots import Snapshots
from server.sandbox.socket_folder import LinkMount, SocketVolume, bound
from server.sandbox.surroundings import Surroundings
from server.sandbox.workspaces import Workspace
from server.settings.settings import ENVIRON, HOME, Settings
from server.wiring.environments import environments, networks
from server.wiring.granting import grants
from server.wiring.kept import snapshots as kept_snapshots
from server.wiring.kept import stored_images

_ELSEWHERE: Final = (  # a client hands few variables down to the servers that it starts
    "Where `sandgate engine status` finds one in your shell, the client that started this server does not hand down what "
    "your shell has: put XDG_STATE_HOME or DOCKER_HOST into `env` where the client names the command."
)

log = logging.getLogger("sandgate")


@dataclass(frozen=True, slots=True)
class Boxes:
    """Everything that makes, lends, keeps and ends sandboxes."""

    engine: DockerEngine
    pool: Pool
    guards: Guards
    copies: Copies
    sessions: Sessions
    snapshots: Snapshots
    images: DockerSnapshots


def open_boxes(
    settings: Settings,
    spaces: tuple[Workspace, ...],
    audit: Audit,
    folders: Folders,
    ledger: Ledger,
    gate: Gate,
    lent: Placeholders,
    tasks: anyio.abc.TaskGroup,
    *,
    steps: Steps,
    ask: Policy,
) -> Boxes:
    """Made and told about each other; no container before a call."""
    orphans = Orphans(Installation.of(settings.state_dir), folders.alive, ledger.sandboxes)
    engine = engine_for(settings, folders, orphans, tasks, lent, lambda sentence: weakened(audit, sentence))
    images = stored_images(settings)
    snapshots = kept_snapshots(settings, images, audit.write)

    def note(kind: str, box: Sandbox) -> None:
        audit.write(kind, {"sandbox": box.id})
        snapshots.wake()

    pool = Pool(engine, gate, tasks, demand(settings), note, settings.sandbox.made_at_once, steps.step)
    guards = Guards(pool, audit.write)
    copies = Copies(guards, key_of(settings.state_dir), lambda came: copied(audit, came))
    sessions = Sessions(
        copies,
        environments(settings, spaces),
        folders.output,
        AllowList(ask, networks(settings)),
        Room(settings.limits.sessions, each=settings.limits.sessions_each),
        ledger,
        Resting(Freezer(engine_of(settings), tasks), snapshots, audit.write),
        usual=settings.environment,
        grants=grants(settings, spaces),
        note=audit.write,
    )
    return Boxes(engine, pool, guards, copies, sessions, snapshots, images)


def shares(settings: Settings) -> Shares:
    """How much one caller keeps: parked sessions, bytes of output."""
    return Shares(settings.limits.parked, settings.limits.output_mb * MIB)


def periods(settings: Settings) -> Periods:
    """After how many seconds without use a session comes to rest, and ends."""
    box = settings.sandbox
    return Periods(box.freeze_after_s, box.park_after_s, box.keep_parked_s)


def scope(settings: Settings) -> str:
    """Which servers share sessions: those that are lent the same folders in the same way."""
    return scope_of((str(space.path), space.mode) for space in settings.workspace)


def engine_of(settings: Settings) -> Callable[[], str]:
    """Where the engine is, looked for each time."""

    def find() -> str:
        try:
            return find_engine(ENVIRON, HOME, settings.state_dir).url
        except NoEngine as missing:
            if missing.chosen or "XDG_STATE_HOME" in ENVIRON:
                raise
            raise NoEngine(f"{missing} {_ELSEWHERE}") from missing

    return find


def engine_for(
    settings: Settings,
    folders: Folders,
    orphans: Orphans,
    tasks: anyio.abc.TaskGroup,
    lent: Placeholders,
    weakened: Callable[[str], None],
) -> DockerEngine:
    return DockerEngine(
        find=engine_of(settings),
        directory=folders.sockets,
        server_id=folders.server_id,
        seccomp=seccomp_file(),
        surroundings=Surroundings(variables(LINK_DIR), lent),
        grace_s=settings.sandbox.grace_s,
        tasks=tasks,
        weakened=weakened,
        orphans=orphans,
        link=link_of(settings),
        weighs=settings.sandbox.weigh_disks,
    )


def link_of(settings: Settings) -> LinkMount:
    """How sandboxes see the folders of their sockets."""
    volume = settings.sandbox.socket_volume
    return SocketVolume(volume, settings.runtime_dir) if volume else bound


def demand(settings: Settings) -> Demand:
    """How many sandboxes of each environment are made ahead."""
    numbers = {name: told.idle for name, told in settings.environments.items() if told.idle is not None}
    return Demand(settings.sandbox.idle, numbers, settings.sandbox.most_idle)


def weakened(audit: Audit, sentence: str) -> None:
    """A control that this machine lacks, found when the first sandbox was made."""
    log.warning("weakened: %s", sentence)
    audit.write("server.weakened", {"sentence": sentence})


def copied(audit: Audit, came: Arrived) -> None:
    audit.write("workspace.copied", asdict(came))
    if came.unread:
        log.warning("not copied from %s, for they could not be read: %s", came.source, ", ".join(came.unread))


def written_down(store: Store) -> frozenset[str]:
    """Ids of every session and sandbox that some server may still come back for."""
    return frozenset(str(row[field]) for row in store.sessions() for field in ("id", "sandbox"))
