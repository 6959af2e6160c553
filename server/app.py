"""The composition root: the one place where the parts are made and told about each other."""

import logging
import secrets
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.abc

from server.call import Gateway
from server.control import Control
from server.environments import environments, networks, recipes
from server.judge.approvals import Approvals
from server.judge.bundle import BundleError
from server.judge.current import CurrentJudge
from server.judge.limits import Limits
from server.judge.shfmt import ShellParser
from server.judges import embedded, host_entries, judging
from server.kept import snapshots as kept_snapshots
from server.kept import stored_images
from server.keyring import Keyring
from server.record.approval_rows import ApprovalRows
from server.record.audit import Audit
from server.record.store import Store
from server.sandbox.caretaker import Caretaker, Periods
from server.sandbox.copies import Arrived, Copies, Copying
from server.sandbox.demand import Demand
from server.sandbox.docker_engine import DockerEngine, Surroundings
from server.sandbox.egress_link import AllowEntry, EgressLink
from server.sandbox.engine import engine_folders, find_engine
from server.sandbox.folders import Folders, own
from server.sandbox.freezer import Freezer
from server.sandbox.gate import Gate, variables
from server.sandbox.guards import Guards
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.installation import Installation
from server.sandbox.ledger import Ledger, scope_of
from server.sandbox.manifest import key_of
from server.sandbox.orphans import Orphans
from server.sandbox.placeholders import Lent, Placeholders
from server.sandbox.pool import Pool
from server.sandbox.prepared import Prepared
from server.sandbox.resting import Resting
from server.sandbox.room import Room
from server.sandbox.sandbox import LINK_DIR, Sandbox
from server.sandbox.sessions import Sessions
from server.sandbox.snapshots import Snapshots
from server.sandbox.workspaces import Workspace, check_all
from server.settings import ENVIRON, HOME, MANAGED, SYSTEM, BadSettings, Settings, Source, user_file
from server.watching import taking_up, watch
from server.workshop import Workshop

SYNC_EVERY_S = 1.0
CLOSE_PATIENCE_S = 8.0
ADOPT_AFTER_S = 3.0  # a server that is only asked for its tools does not live so long
MAX_REFUSED_HOSTS = 5  # that one result mentions

log = logging.getLogger("sandgate")


@dataclass(frozen=True, slots=True)
class App:
    """A server without a transport: the gateway, and what a front needs to know beside it."""

    gateway: Gateway
    settings: Settings
    snapshots: Snapshots
    copying: Callable[[], Copying | None]  # how far a folder is on its way into a session
    close: Callable[[], Awaitable[None]]  # ends every sandbox; for a way out that cannot unwind
    note: Callable[[str, Mapping[str, Any]], None]  # a line of the audit that is about no call
    reload: Callable[[], None]  # takes up changed settings and rules at once; says what is wrong and keeps the old ones


@asynccontextmanager
async def open_app(settings: Settings, source: Source) -> AsyncGenerator[App]:
    """Everything made and connected; on the way out nothing of it is left. No container and no gate before a call.

    source: where the settings are read again when one of their files has changed.
    """
    server_id = secrets.token_hex(4)
    spaces = workspaces(settings, source.files)
    offered, narrow = environments(settings, spaces), networks(settings)
    audit = Audit(settings.audit_file, settings.audit.fsync)
    store = Store(settings.database)
    with own(settings.runtime_dir, settings.state_dir, server_id, lambda: _written_down(store)) as folders:
        link = _egress_link(settings, audit, sessions_of := _Late(), keyring := Keyring(settings.secret, ENVIRON))
        audit.write("server.started", {"server": server_id, "warnings": settings.warnings()})
        async with (
            ShellParser() as parser,
            judging(settings) as judge,
            link,
            anyio.create_task_group() as tasks,
        ):
            gate = Gate(
                link, folders.sockets, _authority(settings) / "ca.pem", _system_roots(), tasks, lent := _lent(settings)
            )
            ledger = Ledger(store, server_id, _scope(settings), folders.alive)
            orphans = Orphans(Installation.of(settings.state_dir), folders.alive, ledger.sandboxes)
            engine = _engine(settings, folders, orphans, tasks, lent, lambda sentence: _weakened(audit, sentence))
            images = stored_images(settings)
            snapshots = kept_snapshots(settings, images, audit.write)

            def note(kind: str, box: Sandbox) -> None:
                audit.write(kind, _box(box))
                snapshots.wake()

            pool = Pool(engine, gate, tasks, _demand(settings), note, settings.sandbox.made_at_once)
            guards = Guards(pool, audit.write)
            copies = Copies(guards, key_of(settings.state_dir), lambda came: _copied(audit, came))
            resting = Resting(Freezer(_engine_of(settings), tasks), snapshots, audit.write)
            sessions = Sessions(
                copies,
                offered,
                folders.output,
                hosts(settings),
                Room(settings.limits.sessions),
                ledger,
                resting,
                narrow,
                note=audit.write,
            )
            sessions_of.sessions = sessions
            limits = Limits(settings.limits.calls_per_second, settings.limits.burst, settings.limits.concurrent)
            people = Approvals(ApprovalRows(settings.database), settings.approvals.pending_s)
            gateway = Gateway(audit, limits, parser, judge, sessions, guard=guards, people=people)
            workshop = Workshop(gateway, snapshots)
            prepared = Prepared(
                recipes(settings, spaces), snapshots, images.identify, workshop, settings.state_dir, tasks
            )
            tasks.start_soon(_sync, audit)
            tasks.start_soon(sessions.adopt_left, min(ADOPT_AFTER_S, settings.sandbox.grace_s / 4))
            for keep in (
                snapshots.keep,
                pool.keep,
                guards.keep,
                partial(keyring.keep, link.keep),
                Caretaker(sessions, _periods(settings)).keep,
                Control(gateway, copies, folders.sockets).serve,
            ):
                tasks.start_soon(keep)
            change = _Change(source, judge, sessions, audit)
            tasks.start_soon(watch, change.files, change.take_up)

            async def close() -> None:
                await _put_down(prepared, sessions, pool)
                engine.close()
                folders.remove()
                audit.write("server.ended", {"server": server_id})

            def reload() -> None:
                taking_up(change.take_up)

            try:
                yield App(
                    replace(gateway, environments=prepared),
                    settings,
                    snapshots,
                    lambda: copies.now,
                    close,
                    audit.write,
                    reload,
                )
            finally:
                await close()
                tasks.cancel_scope.cancel()
    store.close()
    audit.close()


async def _put_down(prepared: Prepared, sessions: Sessions, pool: Pool) -> None:
    """What sessions have is kept and no sandbox is left, within bounds: a client kills a server that takes long to end."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_PATIENCE_S):
        await prepared.stop()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sessions.put_down_all)
            tasks.start_soon(pool.close)


def _written_down(store: Store) -> frozenset[str]:
    """Ids of every session and sandbox that some server may still come back for."""
    return frozenset(str(row[field]) for row in store.sessions() for field in ("id", "sandbox"))


def _periods(settings: Settings) -> Periods:
    box = settings.sandbox
    return Periods(box.freeze_after_s, box.park_after_s, box.keep_parked_s)


def _scope(settings: Settings) -> str:
    return scope_of((str(space.path), space.mode) for space in settings.workspace)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a running server takes up from changed settings: the policy and the hosts. The rest needs a restart."""

    source: Source
    judge: CurrentJudge
    sessions: Sessions
    audit: Audit

    def files(self) -> list[Path]:
        """What is looked at: every settings file, and the rules of the operator's own."""
        try:
            custom = self.source.read().policy.custom
        except BadSettings:
            custom = ()
        return [*self.source.files, *custom, *(path for place in custom for path in sorted(place.rglob("*.rego")))]

    def take_up(self) -> None:
        """Loaded and proven aside first: where that fails, what was in force stays in force. Raises what was wrong."""
        settings = self.source.read()
        try:
            if not settings.policy.opa_url:
                self.judge.replace(embedded(settings))
        except BundleError as exc:
            self.audit.write("server.reload_failed", {"reason": str(exc)})
            raise
        self.sessions.allow_from_now_on(hosts(settings))
        self.audit.write("server.reloaded", {"revision": self.judge.revision, "warnings": settings.warnings()})


async def _sync(audit: Audit) -> None:
    """fsync = interval: what was written is on the disk a second later, whatever happens to the machine then."""
    while True:
        await anyio.sleep(SYNC_EVERY_S)
        await anyio.to_thread.run_sync(audit.sync)


# --- sandboxes ---------------------------------------------------------------------------------------------------------


def _engine_of(settings: Settings) -> Callable[[], str]:
    return lambda: find_engine(ENVIRON, HOME, settings.state_dir).url


def _engine(
    settings: Settings,
    folders: Folders,
    orphans: Orphans,
    tasks: anyio.abc.TaskGroup,
    lent: Placeholders,
    weakened: Callable[[str], None],
) -> DockerEngine:
    return DockerEngine(
        find=_engine_of(settings),
        directory=folders.sockets,
        server_id=folders.server_id,
        seccomp=seccomp_file(),
        surroundings=Surroundings(variables(LINK_DIR), lent),
        grace_s=settings.sandbox.grace_s,
        tasks=tasks,
        weakened=weakened,
        orphans=orphans,
    )


def _demand(settings: Settings) -> Demand:
    numbers = {name: told.idle for name, told in settings.environments.items() if told.idle is not None}
    return Demand(settings.sandbox.idle, numbers, settings.sandbox.most_idle)


def workspaces(settings: Settings, files: tuple[Path, ...]) -> tuple[Workspace, ...]:
    """What is lent, after every check. `files` are those the settings were read from: no agent may write them."""
    ours = [
        *files,
        *settings.policy.custom,
        *(secret.file for secret in settings.secret if secret.file),
        *([settings.egress.upstream_ca] if settings.egress.upstream_ca else []),
    ]
    private = [
        settings.state_dir,
        settings.runtime_dir,
        user_file().parent,
        SYSTEM.parent,
        MANAGED.parent,
        Path("/var/lib/docker"),
    ]
    wanted = [(space.path, space.mode) for space in settings.workspace]
    if not wanted:
        return ()
    sockets = engine_folders(ENVIRON, HOME, settings.state_dir)
    return check_all(wanted, [*private, *ours, *sockets], allow_root_owned=settings.allow_root_owned)


def _weakened(audit: Audit, sentence: str) -> None:
    """A control that this machine lacks, found when the first sandbox was made."""
    log.warning("weakened: %s", sentence)
    audit.write("server.weakened", {"sentence": sentence})


def _box(sandbox: Sandbox) -> dict[str, Any]:
    return {"sandbox": sandbox.id}


def _copied(audit: Audit, came: Arrived) -> None:
    audit.write("workspace.copied", asdict(came))
    if came.unread:
        log.warning("not copied from %s, for they could not be read: %s", came.source, ", ".join(came.unread))


# --- egress ------------------------------------------------------------------------------------------------------------


class _Late:
    """The sessions, which are made after the link that reports on them."""

    sessions: Sessions | None = None


def _authority(settings: Settings) -> Path:
    return settings.state_dir / "ca"


def _lent(settings: Settings) -> Placeholders:
    return Placeholders(tuple(Lent(secret.name, secret.variable, secret.prefix) for secret in settings.secret))


def _system_roots() -> Path | None:
    found = ssl.get_default_verify_paths()
    return Path(found.cafile) if found.cafile else None


def hosts(settings: Settings) -> tuple[AllowEntry, ...]:
    """The operator's allowlist as the gate reads it."""
    return tuple(host_entries(settings.egress))


def _egress_link(settings: Settings, audit: Audit, late: _Late, keyring: Keyring) -> EgressLink:
    egress = settings.egress
    return EgressLink(
        ca_dir=_authority(settings),
        on_event=lambda event: _record_flow(event, audit, late),
        upstream_ca=egress.upstream_ca,
        networks=egress.networks,
        resolve=egress.resolve,
        mode=egress.mode,
        limits=egress.limits,
        environment={name: ENVIRON[name] for name in ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in ENVIRON},
        secrets=keyring.all,
    )


def _how_to_allow(event: dict[str, Any]) -> str:
    if event.get("rule") != "egress.not_allowed":
        return ""
    port = "" if event["port"] in (80, 443) else f":{event['port']}"
    return f" A person can allow it with: sandgate allow {event['host']}{port}"


def _record_flow(event: dict[str, Any], audit: Audit, late: _Late) -> None:
    """A flow or a refusal becomes a line of the audit under the decision of the call that caused it.

    With one command running that is certain; with several at once all of them are named.
    """
    session = late.sessions.of_sandbox(str(event["session"])) if late.sessions else None
    decisions = [str(decision) for decision in event.get("decisions") or ()]
    kind = "egress.flow" if event["event"] == "flow" else "egress.refused"
    facts = {name: value for name, value in event.items() if name not in ("event", "session", "decisions")}
    audit.write(
        kind,
        {
            "decision_id": decisions[0] if len(decisions) == 1 else None,
            **({"decision_ids": decisions} if len(decisions) > 1 else {}),
            "session": session.name if session else None,
            "sandbox": event["session"],
            **facts,
        },
    )
    if kind == "egress.refused" and session is not None:
        told = f"{event['host']}:{event['port']}: {event['reason']}{_how_to_allow(event)}"
        for job in session.jobs.values():
            if (
                job.decision_id in decisions
                and told not in job.refused_hosts
                and len(job.refused_hosts) < MAX_REFUSED_HOSTS
            ):
                job.refused_hosts.append(told)
