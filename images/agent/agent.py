"""PID 1 of a sandbox: runs what its server permitted as uid 1000, serves files, and ends when its server is lost.

Standard library only, started as `python3 -I -S -B` by absolute path. One thread, one loop, nothing in it blocks: stop,
close and file requests are answered under a fork bomb too. It trusts its server and nothing else.
"""

import contextlib
import errno
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # -I leaves the script's own folder out

import counters
import files
import jobs
import keepers
import kernel
import late  # noqa: F401 - imported for what it imports
import opening
import places
import relay_process
import searches
import spawn
import tree
import whose
import wire

CONTROL = "/run/sandgate/control.sock"
FIRST_DIAL_S = 15.0
REDIAL_EVERY_S = 0.5
MOST_FILE_BYTES = 96 << 20  # queued for the server: more would be the agent's own memory
ENDING_S = 5.0  # how long lost commands are waited for: what the kernel cannot end goes with the container
CALM_S = 0.05
DYING_S = 0.01
MOST_RULESETS = 64
BEAT_S = 0.5  # while something runs: a quiet command is not a dead one, and how much room its disk has
BEAT_SOON_S = 0.1  # after a file was written
SERVER_SILENCE_S = 120.0  # it asks every 5 s while something runs; one that hangs for this long is as good as lost
PAUSED_S = 2.0  # later than asked for: we were frozen, or the machine slept, and nobody could have spoken to us


class Agent:
    """The loop and all that it holds. `key` is what a server must show to take over after the first was lost."""

    def __init__(self, uid: int, gid: int, home: str, ports: tuple[int, ...]) -> None:
        self.uid, self.gid = uid, gid
        self.selector = selectors.DefaultSelector()
        self.abi = kernel.landlock_abi()
        self.counters = counters.Counters()
        self.confine = kernel.Filter(kernel.set_id_filter())
        self.files = files.Files(kernel.AsUser(uid, gid))
        places.provide(self.files.user, home)
        self.searches = searches.Searches(self.selector, self.files.user, self.confine)
        self.jobs: dict[int, jobs.Job] = {}
        asked = whose.Whose(self.files.user, lambda: [job for job in self.jobs.values() if not job.clear])
        self.relay = relay_process.RelayProcess(ports, self.selector, asked)
        self.rulesets: dict[object, int] = {}
        self.incoming: dict[int, bytearray] = {}
        self.wire: wire.Wire | None = None
        self.keepers = keepers.Keepers(lambda: spawn.Keeper(self.confine, uid, gid), self.selector)
        self.congested = False
        self.dead_keepers: set[int] = set()  # and not reaped yet
        self.beat_at: float | None = None
        self.heard = 0.0  # when the server last said something
        self.grace_s = FIRST_DIAL_S
        self.key = ""

    # --- life --------------------------------------------------------------------------------------------------------

    def live(self) -> None:
        """Serve one server after the other until one says close, or none comes within the grace."""
        self._reap()
        while self._dial():
            with contextlib.suppress(ConnectionError, BrokenPipeError, wire.BadFrame):
                self._serve()
            self._lose_server()

    def _dial(self) -> bool:
        until = time.monotonic() + self.grace_s
        while time.monotonic() < until:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(CONTROL)
            except OSError:
                sock.close()
                self._reap()
                time.sleep(REDIAL_EVERY_S)
                continue
            self.wire = wire.Wire(sock)
            self.heard = time.monotonic()
            self.selector.register(sock, selectors.EVENT_READ, self._hear_server)
            about = {"landlock": self.abi, "openat2": files.has_openat2(), "shell": places.shell()}
            self.wire.say({"ev": "hello", "key": self.key, **about})
            return True
        return False

    def _lose_server(self) -> None:
        assert self.wire is not None  # noqa: S101 - _dial() has set it
        self.selector.unregister(self.wire.sock)
        self.wire.sock.close()
        self.wire = None
        self.searches.end_all()
        for job in self.jobs.values():
            job.stop(signal.SIGKILL, "server_lost")
        until = time.monotonic() + ENDING_S
        while any(not job.over for job in self.jobs.values()) and time.monotonic() < until:
            self._turn(0.1)
        for job in self.jobs.values():
            self.keepers.dismiss(job.keeper)
        self.jobs.clear()
        self.incoming.clear()

    def _serve(self) -> None:
        assert self.wire is not None  # noqa: S101 - _dial() has set it
        self.wire.flush()  # who we are, before anybody asks: a server that takes over waits for that
        self.keepers.fill()  # the first command may be a fork bomb, and leave no room for the second's keeper
        while True:
            self._turn(self._patience())
            self._beat(time.monotonic())
            self.wire.flush()
            self._relieve(self.wire)
            self._make_a_spare()

    def _turn(self, patience: float | None) -> None:
        expected = time.monotonic() + (patience or 0.0)
        ready = self.selector.select(patience)
        now = time.monotonic()
        if now - expected > PAUSED_S:
            self.heard = now
        watched = self.selector.get_map()
        for key, _ in ready:
            if (still := watched.get(key.fd)) is not None and still.data is key.data:  # else one before it closed it
                key.data()
        now = time.monotonic()
        for job in list(self.jobs.values()):
            job.tend(now)
        if self.wire is not None:
            self.wire.flush()  # an end is on its way before anything else is seen to
        for job in [job for job in self.jobs.values() if job.over]:
            self._forget(job)
        self.searches.tend(now)
        self._reap()

    def _forget(self, job: jobs.Job) -> None:
        del self.jobs[job.number]
        if job.abandoned:
            self.keepers.dismiss(job.keeper)
            self.dead_keepers.add(job.keeper.pid)
        else:
            self.keepers.spare(job.keeper)
        if job.left:
            self._say({"ev": "gone", "job": job.number})

    def _beat(self, now: float) -> None:
        """A sign of life while something runs. Raises ConnectionError where the server gives none."""
        if self.jobs and now - self.heard > SERVER_SILENCE_S:
            raise ConnectionResetError("the server hangs")
        if self.beat_at is not None and now >= self.beat_at:
            room, files_room = counters.disk_room()
            self._say({"ev": "beat", "disk_room": room, "files_room": files_room})
            self.beat_at = now + BEAT_S if self.jobs else None

    def _own_processes(self) -> set[int]:
        return (
            {job.keeper.pid for job in self.jobs.values()}
            | self.keepers.pids
            | {self.relay.pid, *self.searches.running}
        )

    def _make_a_spare(self) -> None:
        """Fork the next job's keeper ahead, but not while a command has just started: that would hold up its end."""
        now = time.monotonic()
        if not self.keepers.enough and all(job.reported or now - job.started > CALM_S for job in self.jobs.values()):
            self.keepers.make_a_spare()

    def _patience(self) -> float | None:
        moments = [moment for job in self.jobs.values() if (moment := job.next_moment()) is not None]
        moments += self.searches.next_moment()
        if self.beat_at is not None:
            moments.append(self.beat_at)
        if self.dead_keepers:
            moments.append(time.monotonic() + DYING_S)
        if not self.keepers.enough:
            moments.append(time.monotonic() + CALM_S)
        if not self.relay.pid:
            moments.append(time.monotonic() + relay_process.REST_S)
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _reap(self) -> None:
        """What nobody waits for: keepers that are done, and the relay should it ever end: then there is another."""
        for pid in [pid for pid in self.dead_keepers if tree.is_gone(pid)]:  # while it dies, its own are not ours yet
            self.dead_keepers.remove(pid)
            tree.end_orphans(self._own_processes())
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self.relay.ended(pid)
        self.relay.keep()

    def _relieve(self, connection: wire.Wire) -> None:
        """Back-pressure: while the server does not take output, the commands' pipes are not read."""
        if connection.queued > wire.HIGH_WATER and not self.congested:
            self.congested = True
            for job in self.jobs.values():
                jobs.unwatch_outputs(job)
        elif self.congested and connection.queued < wire.HIGH_WATER // 2:
            self.congested = False
            for job in self.jobs.values():
                jobs.watch_outputs(job)
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.queued else 0)
        if self.selector.get_key(connection.sock).events != wanted:
            self.selector.modify(connection.sock, wanted, self._hear_server)

    # --- what the server says ----------------------------------------------------------------------------------------

    def _hear_server(self) -> None:
        assert self.wire is not None  # noqa: S101 - registered by _dial()
        self.heard = time.monotonic()
        for kind, body in self.wire.receive():
            if kind == wire.JSON:
                self._obey(json.loads(body))
            else:
                (request,) = wire.FILE_HEAD.unpack_from(body)
                self.incoming.setdefault(request, bytearray()).extend(body[wire.FILE_HEAD.size :])

    def _obey(self, message: dict[str, object]) -> None:
        match message["op"]:
            case "welcome":
                self.key = str(message["key"])
                self.grace_s = float(str(message["grace_s"]))
            case "run":
                self._run(message)
            case "input":
                self._input(message)
            case "forget":
                self.incoming.pop(int(str(message["id"])), None)
                self.searches.forget(int(str(message["id"])))
            case "stop":
                number, reason = int(str(message["signal"])), str(message["reason"])
                if (job := self.jobs.get(int(str(message["job"])))) is not None:
                    job.stop(number, reason, float(str(message["grace_s"])))
            case "file":
                self._file(message)
            case "ping":
                self._say({"ev": "answer", "id": message["id"], "ok": True})
            case "close":
                sys.exit(0)
            case other:
                raise wire.BadFrame(f"unknown order {other!r}")

    def _file_sender(self, connection: wire.Wire, request: int) -> Callable[[bytes], None]:
        def send(data: bytes) -> None:
            if connection.queued > MOST_FILE_BYTES:
                raise opening.Refused("too much is being read at once; try again")
            connection.file_bytes(request, data)

        return send

    def _say(self, message: dict[str, object]) -> None:
        if self.wire is not None:
            self.wire.say(message)

    def _input(self, message: dict[str, object]) -> None:
        request = int(str(message["id"]))
        data, job = bytes(self.incoming.pop(request, b"")), self.jobs.get(int(str(message["job"])))
        number = errno.EPIPE  # of a job that is over
        try:
            if job is not None:
                job.take(data, close=bool(message["close"]))
                number = 0
        except OSError as exc:
            number = exc.errno or errno.EPIPE
        self._say({"ev": "answer", "id": request, "ok": not number, "error": "", "errno": number})

    def _run(self, message: dict[str, object]) -> None:
        number = int(str(message["job"]))
        stdin = bytes(self.incoming.pop(number, b""))
        argv, env, ours = _strings(message["argv"]), _environment(message["env"]), message.get("ours") is True
        if ours:
            argv = spawn.own_program("folder_process.py", str(self.uid), "ruled" if self.abi else "", *argv)
        plan = spawn.Plan(argv, env, str(message["cwd"]), ours=ours)
        try:
            job = self.keepers.give(lambda keeper: self._start(number, keeper, plan, stdin, message))
        except OSError as exc:  # no room for a keeper or its leader, or for their pipes
            self._say({"ev": "ended", "job": number, "reason": "not_started", "errno": exc.errno or 0})
            return
        job.mark = str(message.get("mark", ""))
        self.jobs[number] = job
        self.beat_at = self.beat_at or time.monotonic() + BEAT_S
        if self.congested:
            jobs.unwatch_outputs(job)

    def _start(
        self, number: int, keeper: spawn.Keeper, plan: spawn.Plan, stdin: bytes, message: dict[str, object]
    ) -> jobs.Job:
        assert self.wire is not None  # noqa: S101 - the message came over it
        timeout = message["timeout_s"]
        return jobs.launch(
            number,
            keeper,
            plan,
            self._ruleset(message["access"]),
            self.wire,
            self.selector,
            self.counters,
            None if timeout is None else float(str(timeout)),
            stdin=stdin,
            stdin_stays=bool(message["stdin_stays"]),
        )

    def _ruleset(self, access: object) -> int | None:
        """A Landlock ruleset, made once for each set of paths and what lies there; a command then only has to enter it."""
        if not self.abi:
            return None
        assert isinstance(access, dict)  # noqa: S101 - the server's own shape
        sets = kernel.Access(*(_strings(access[right]) for right in ("read", "write", "execute")))
        name = sets.identity()
        if name not in self.rulesets:
            if len(self.rulesets) > MOST_RULESETS:
                os.close(self.rulesets.pop(next(iter(self.rulesets))))
            self.rulesets[name] = kernel.landlock_ruleset(sets, self.abi)
        return self.rulesets[name]

    def _file(self, message: dict[str, object]) -> None:
        request = int(str(message["id"]))
        content = bytes(self.incoming.pop(request, b""))
        if content:
            soon = time.monotonic() + BEAT_SOON_S
            self.beat_at = soon if self.beat_at is None else min(soon, self.beat_at)
        assert self.wire is not None  # noqa: S101 - the message came over it
        send = self._file_sender(self.wire, request)
        try:
            if message["do"] == "search":
                ruleset, found = self._ruleset(message["access"]), self.files.take(message)
                self.searches.start(found, message, ruleset, send, self._answer)
                return
            answer = self.files.answer(message, content, send)
        except opening.Refused as exc:
            answer = {"error": str(exc), "errno": exc.number}
        except OSError as exc:
            answer = {"error": os.strerror(exc.errno or 0), "errno": exc.errno}
        except ValueError as exc:  # a NUL in a path, for one
            answer = {"error": str(exc), "errno": 0}
        self._answer(request, answer)

    def _answer(self, request: int, answer: dict[str, object]) -> None:
        self._say({"ev": "answer", "id": request, "ok": "error" not in answer, **answer})


def _strings(value: object) -> list[str]:
    assert isinstance(value, list)  # noqa: S101 - the server's own shape
    return [str(item) for item in value]


def _environment(value: object) -> dict[str, str]:
    assert isinstance(value, dict)  # noqa: S101 - the server's own shape
    return {str(name): str(text) for name, text in value.items()}


def main() -> None:
    os.umask(0o022)
    os.chdir("/")
    os.environ.clear()
    own = kernel.CAP_SETGID, kernel.CAP_SETUID
    kernel.keep_capabilities((kernel.CAP_KILL, *own), over_exec=own)  # a keeper makes its leaders uid 1000
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    user, home, *ports = sys.argv[1:]
    uid, gid = map(int, user.split(":"))
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.dump_nothing()
    gc.freeze()
    Agent(uid, gid, home, tuple(map(int, ports))).live()


if __name__ == "__main__":
    main()
