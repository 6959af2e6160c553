"""What is written down of sessions so that another server finds them: whose they are, in whose hands, in which state.

A session is in the hands of one server at a time. A lease is that server's name in the row, and it ends with the server:
who is alive is told by locks that die with their process.
"""

import hashlib
import json
import logging
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, Protocol

from server.sandbox.sandbox import Exit, Sandbox, SandboxSpec

NOBODY: Final = ""  # who holds a session that was put down

type Kept = Literal["live", "parked"]  # a container, or a snapshot and none

log = logging.getLogger("sandgate")


@dataclass(frozen=True, slots=True)
class Entry:
    """A session as it is written down. sandbox and key: its container and what its agent shows; empty where it is parked.

    folders: targets of what is lent to it. hosts: what it narrowed its network to. opened, used, ends: seconds since 1970.
    lent_as: its first sandbox, whose placeholders it keeps. roles: its caller's, when it was opened.
    """

    scope: str
    owner: str
    name: str
    server: str
    state: Kept
    sandbox: str
    key: str
    environment: str
    image: str
    user: tuple[int, int]
    folders: tuple[str, ...]
    hosts: tuple[str, ...]
    opened: float
    used: float
    ends: float | None = None
    lent_as: str = ""
    roles: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def spec(self, environment: SandboxSpec) -> SandboxSpec:
        """How its sandbox is made: by what the operator offers now, as far as it is not the session's own."""
        mounts = tuple(mount for mount in environment.mounts if mount.target in self.folders)
        copies = tuple(copy for copy in environment.copies if copy.target in self.folders)
        own = replace(environment, image=self.image, user=self.user, mounts=mounts, copies=copies)
        return replace(own, lent_as=self.lent_as)


class Records(Protocol):
    """The rows, shared by all servers of one installation. Each method raises OSError where they cannot be used."""

    def put_session(self, row: Mapping[str, Any]) -> None: ...

    def sessions(self, **equal: str) -> list[Mapping[str, Any]]:
        """The one used last first."""

    def change_session(self, session: str, **fields: Any) -> None: ...

    def take_session(self, session: str, held_by: str, used: float, by: str) -> bool: ...

    def remove_session(self, session: str) -> None: ...

    def put_job(self, row: Mapping[str, Any], instead_of: Sequence[str] = ()) -> None:
        """instead_of: names of others of its session, which are forgotten."""

    def jobs(self, session: str) -> list[Mapping[str, Any]]: ...

    def end_job(self, session: str, name: str, outcome: str) -> None: ...

    def remove_job(self, session: str, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class KeptJob:
    name: str
    shown: str
    decision_id: str
    end: Exit | None
    background: bool = True  # one whose end nobody saw ran when its server was lost


class Ledger:
    """One server's view. `scope`: sessions are found by servers of the same one; `alive`: whether a server lives; `ends`:
    whether it does and is about to end."""

    def __init__(
        self,
        records: Records,
        server: str,
        scope: str,
        alive: Callable[[str], bool],
        ends: Callable[[str], bool],
    ) -> None:
        self._records, self.server, self.scope, self._alive, self._ends = records, server, scope, alive, ends

    # --- whose -------------------------------------------------------------------------------------------------------

    def free(self, owner: str, name: str | None = None) -> list[Entry]:
        """The caller's sessions in nobody's hands, the one used last first."""
        return [entry for entry in self._of(owner, name) if not self.is_held(entry)]

    def elsewhere(self, owner: str, name: str) -> Entry | None:
        """One of that name that another live server holds."""
        held = (entry for entry in self._of(owner, name) if entry.server != self.server and self.is_held(entry))
        return next(held, None)

    def is_coming(self, owner: str, name: str) -> bool:
        """Whether another server, which ends, is about to put one of that name down."""
        return any(
            entry.server not in (self.server, NOBODY) and self._ends(entry.server) for entry in self._of(owner, name)
        )

    def left(self) -> list[Entry]:
        """Of all callers, those whose server died and whose sandboxes may wait for another."""
        rows = self._records.sessions(scope=self.scope, state="live")
        return [entry for entry in map(_entry, rows) if not self.is_held(entry)]

    def sandboxes(self) -> dict[str, bool]:
        """Those that sessions of all scopes have, each with whether a server that lives holds it."""
        return {entry.sandbox: self.is_held(entry) for entry in self.every() if entry.sandbox}

    def take(self, entry: Entry) -> bool:
        """Into our hands; False where another server was first, also if that one has put it down again."""
        return self._records.take_session(entry.id, entry.server, entry.used, self.server)

    def every(self) -> list[Entry]:
        """Of all scopes and callers, whoever holds them."""
        return [_entry(row) for row in self._records.sessions()]

    def surplus(self, most_parked: int) -> frozenset[str]:
        """Ids of those parked ones that are more than so many of their caller, the ones used last left out."""
        of = defaultdict[str, list[str]](list)
        for row in self._records.sessions(scope=self.scope, state="parked"):
            of[str(row["owner"])].append(str(row["id"]))
        return frozenset(each for ids in of.values() for each in ids[most_parked:])

    def _of(self, owner: str, name: str | None) -> list[Entry]:
        named = {} if name is None else {"name": name}
        return [_entry(row) for row in self._records.sessions(scope=self.scope, owner=owner, **named)]

    def is_held(self, entry: Entry) -> bool:
        """By a server that lives, ours included."""
        return entry.server != NOBODY and self._alive(entry.server)

    # --- what --------------------------------------------------------------------------------------------------------

    def fresh(
        self,
        owner: str,
        name: str,
        spec: SandboxSpec,
        sandbox: Sandbox,
        hosts: tuple[str, ...],
        now: float,
        roles: tuple[str, ...] = (),
    ) -> Entry:
        """Of a session that begins now."""
        return Entry(
            scope=self.scope,
            owner=owner,
            name=name,
            server=self.server,
            state="live",
            sandbox=sandbox.id,
            key=sandbox.key,
            environment=spec.environment,
            image=spec.image,
            user=spec.user,
            folders=spec.workspaces,
            hosts=hosts,
            opened=now,
            used=now,
            lent_as=sandbox.id,
            roles=roles,
        )

    def enter(self, entry: Entry) -> None:
        self._records.put_session(_row(entry))

    def lives(self, session: str, sandbox: str, key: str, image: str) -> None:
        self._records.change_session(session, state="live", sandbox=sandbox, key=key, image=image)

    def parked(self, session: str, image: str, used: float) -> None:
        self._records.change_session(session, state="parked", sandbox="", key="", image=image, used=used)

    def used(self, session: str, when: float) -> None:
        self._records.change_session(session, used=when)

    def put_down(self, session: str, used: float) -> None:
        """Out of our hands: the next server that wants it takes it."""
        self._records.change_session(session, server=NOBODY, used=used)

    def strike(self, session: str) -> None:
        """It is over, and its jobs with it."""
        with logged(f"the end of session {session}"):
            self._records.remove_session(session)

    # --- jobs --------------------------------------------------------------------------------------------------------

    # A job runs and ends whether or not that can be written down: where it cannot, that is logged.

    def job_started(self, session: str, job: KeptJob, forgotten: Sequence[str] = ()) -> None:
        """forgotten: what gives way to it; in one go, for to write costs as much as what is written."""
        row = {"session": session, "name": job.name, "shown": job.shown, "decision_id": job.decision_id}
        with logged(f"job {job.name} of session {session}"):
            self._records.put_job({**row, "outcome": None}, forgotten)

    def job_ended(self, session: str, name: str, end: Exit, *, background: bool) -> None:
        with logged(f"how job {name} of session {session} ended"):
            self._records.end_job(session, name, json.dumps({**asdict(end), "background": background}))

    def job_forgotten(self, session: str, name: str) -> None:
        with logged(f"that job {name} of session {session} is forgotten"):
            self._records.remove_job(session, name)

    def jobs(self, session: str) -> list[KeptJob]:
        """In the order of their start; `end` None where the server that ran it did not live to see it."""
        return [_job(row) for row in self._records.jobs(session)]


def scope_of(folders: Iterable[tuple[str, str]]) -> str:
    """Servers that lend the same folders in the same way are of one scope; told as path and mode."""
    return hashlib.sha256(json.dumps(sorted(folders)).encode()).hexdigest()[:16]


@contextmanager
def logged(what: str) -> Iterator[None]:
    try:
        yield
    except OSError:
        log.exception("not written down: %s", what)


_LISTS: Final = ("folders", "hosts", "roles")


def _row(entry: Entry) -> dict[str, Any]:
    told = {name: json.dumps(getattr(entry, name)) for name in _LISTS}
    return {**asdict(entry), **told, "user": "{}:{}".format(*entry.user)}


def _entry(row: Mapping[str, Any]) -> Entry:
    uid, _, gid = str(row["user"]).partition(":")
    lists = {name: tuple(json.loads(row[name])) for name in _LISTS if name in row}  # not of an earlier version
    return Entry(**{**row, **lists, "user": (int(uid), int(gid))})


def _job(row: Mapping[str, Any]) -> KeptJob:
    if not row["outcome"]:
        return KeptJob(row["name"], row["shown"], row["decision_id"], None)
    outcome = json.loads(row["outcome"])
    background = outcome.pop("background", False)
    return KeptJob(row["name"], row["shown"], row["decision_id"], Exit(**outcome), background)
