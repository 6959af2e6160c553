"""The composition root: the one place where the parts are made and told about each other."""

import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from functools import partial

import anyio

from server.answers import asking
from server.call import Gateway
from server.change import Change, watched
from server.control import Control
from server.flows import Late
from server.host_questions import HostQuestions, hosts_of
from server.judge.approvals import Approvals
from server.judge.shfmt import ShellParser
from server.keyring import Keyring
from server.note import Note
from server.page_door import PageDoor
from server.questions import Questions
from server.record.metrics import Metrics, Standing
from server.record.steps import Steps
from server.record.store import Store
from server.sandbox.caretaker import Caretaker
from server.sandbox.copies import Copying
from server.sandbox.folders import own
from server.sandbox.gate import Gate
from server.sandbox.ledger import Ledger
from server.sandbox.pool import Pool
from server.sandbox.prepared import Prepared
from server.sandbox.sessions import Sessions
from server.sandbox.snapshots import Snapshots
from server.settings.files import Source
from server.settings.settings import ENVIRON, Settings
from server.watching import taking_up, watch
from server.wiring.egress import authority, egress_link, lent_by, system_roots
from server.wiring.environments import recipes
from server.wiring.judges import judging
from server.wiring.limiting import limits_for
from server.wiring.recording import audit_for, end_all, exports_of, keep_written, send_all
from server.wiring.sandboxes import open_boxes, periods, scope, shares, written_down
from server.wiring.wariness import wary
from server.wiring.workspaces import workspaces
from server.workshop import Workshop

CLOSE_PATIENCE_S = 8.0
ADOPT_AFTER_S = 3.0  # a server that is only asked for its tools does not live so long


@dataclass(frozen=True, slots=True)
class App:
    """A server without a transport: the gateway, and what a front needs to know beside it."""

    gateway: Gateway
    settings: Settings
    snapshots: Snapshots
    copying: Callable[[], Copying | None]  # how far a folder is on its way into a session
    close: Callable[[], Awaitable[None]]  # ends every sandbox; for a way out that cannot unwind
    note: Note  # a line of the audit that is about no call
    tell_answers: Callable[[], None]  # what people answered, into the audit
    standing: Callable[[], Awaitable[Standing]]
    running: Callable[[], int]  # how many calls, at this moment
    metrics: Metrics
    page: PageDoor
    reload: Callable[[], None]  # takes up changed settings and rules at once; says what is wrong and keeps the old ones


@asynccontextmanager
async def open_app(settings: Settings, source: Source) -> AsyncGenerator[App]:
    """Everything made and connected; on the way out nothing of it is left. No container and no gate before a call.

    source: where the settings are read again when one of their files has changed.
    """
    server_id, spaces = secrets.token_hex(4), workspaces(settings, source.files)
    files, at_first = watched(source)
    keyring, metrics = Keyring(settings.secret, ENVIRON), Metrics()
    audit, steps = audit_for(settings, keyring), Steps(metrics.observe)
    audit.listen(metrics.hear)
    store, page = Store(settings.database), PageDoor()
    with (
        closing(audit),
        closing(store),
        own(settings.runtime_dir, settings.state_dir, server_id, lambda: written_down(store)) as folders,
    ):
        people, answers = asking(settings, audit.write)
        sessions_of = Late()  # the gate asks about sessions, which are made of sandboxes behind the gate
        held = HostQuestions(people, sessions_of, audit.write, settings.egress.hold_s)
        link = egress_link(settings, audit.write, sessions_of, keyring, held.asked)
        audit.write("server.started", {"server": server_id, "warnings": settings.warnings()})
        exports = exports_of(settings, audit)
        async with (
            ShellParser() as parser,
            judging(settings) as judge,
            link,
            anyio.create_task_group() as tasks,
        ):
            lent = lent_by(settings)
            gate = Gate(link, folders.sockets, authority(settings) / "ca.pem", system_roots(), tasks, lent)
            ledger = Ledger(store, server_id, scope(settings), folders.alive, folders.ends)
            boxes = open_boxes(
                settings, spaces, audit, folders, ledger, gate, lent, tasks, steps=steps, ask=partial(hosts_of, judge)
            )
            pool, sessions, snapshots = boxes.pool, boxes.sessions, boxes.snapshots
            sessions_of.sessions = sessions
            limits = limits_for(settings.limits, audit.write)
            gateway = Gateway(
                audit=audit,
                limits=limits,
                questions=Questions(parser, sessions),
                judge=wary(judge, settings, audit, sessions, tasks),
                sessions=sessions,
                guard=boxes.guards,
                people=people,
                steps=steps,
            )
            workshop = Workshop(gateway, snapshots)
            prepared = Prepared(
                recipes(settings, spaces), snapshots, boxes.images.identify, workshop, settings.state_dir, tasks
            )
            tasks.start_soon(keep_written, audit, settings.audit.head_every_s, metrics.synced)
            tasks.start_soon(sessions.adopt_left, min(ADOPT_AFTER_S, settings.sandbox.grace_s / 4))
            for keep in (
                snapshots.keep,
                pool.keep,
                boxes.guards.keep,
                partial(keyring.keep, link.keep),
                partial(held.keep, link, judge),
                Caretaker(sessions, periods(settings), shares(settings)).keep,
                Control(gateway, boxes.copies, folders.sockets, page).serve,
                answers.keep,
                partial(send_all, exports),
            ):
                tasks.start_soon(keep)
            change = Change(source, judge, sessions, audit, tasks.start_soon)
            tasks.start_soon(watch, files, change.take_up, at_first)

            async def close() -> None:
                """Sandboxes first, for what they end with is still recorded; the exports last."""
                folders.ending()
                answers.tell()
                try:
                    await _put_down(prepared, sessions, pool)
                finally:
                    await boxes.engine.close()
                    folders.remove()
                    audit.write("server.ended", {"server": server_id})
                    await end_all(exports, audit)

            def reload() -> None:
                taking_up(change.take_up)

            try:
                yield App(
                    gateway=replace(gateway, environments=prepared),
                    settings=settings,
                    snapshots=snapshots,
                    copying=lambda: boxes.copies.now,
                    close=close,
                    note=audit.write,
                    tell_answers=answers.tell,
                    standing=partial(_standing, pool, sessions, people),
                    running=lambda: limits.running,
                    metrics=metrics,
                    page=page,
                    reload=reload,
                )
            finally:
                await close()
                tasks.cancel_scope.cancel()


async def _put_down(prepared: Prepared, sessions: Sessions, pool: Pool) -> None:
    """What sessions have is kept and no sandbox is left, within bounds: a client kills a server that takes long to end."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_PATIENCE_S):
        await prepared.stop()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sessions.put_down_all)
            tasks.start_soon(pool.close)


async def _standing(pool: Pool, sessions: Sessions, people: Approvals) -> Standing:
    open_now = sessions.at_hand()
    waiting = await anyio.to_thread.run_sync(people.live)
    return Standing(
        warm=pool.warm,
        sessions=Counter(session.state for session in open_now),
        jobs=sum(job.end is None for session in open_now for job in session.jobs.values()),
        approvals=sum(approval.state == "pending" for approval in waiting),
    )
