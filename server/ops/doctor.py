"""`sandgate doctor`: what this machine can hold a sandbox to, looked at, then tried in a real one."""

import argparse
import json
import os
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import anyio
from rich.console import Console

from server.ops import machine, self_tests
from server.ops.check import Check, Tell, fail, ok, warn
from server.ops.demo_origin import Origin, serving
from server.ops.gate_trial import allowed, gate, resolved
from server.ops.trial import CPUS, DISK, FILES, MEMORY, PIDS, broken, limits
from server.record.store import Store
from server.sandbox.docker_engine import DockerEngine
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.egress_link import EgressLink
from server.sandbox.engine import NEXT, Engine, NoEngine, Unreachable, data_root, find_engine, get_json
from server.sandbox.folders import LONGEST_SOCKET, Folders, own
from server.sandbox.gate import Gate, variables
from server.sandbox.image_recipe import AGENT, BASE, recipe, seccomp_file
from server.sandbox.sandbox import LINK_DIR, SandboxSpec
from server.sandbox.surroundings import Surroundings
from server.secret_values import lacking
from server.settings.files import load, settings_files
from server.settings.settings import ENVIRON, HOME, Settings
from server.wiring.egress import authority, system_roots
from server.wiring.environments import chosen
from server.wiring.sandboxes import link_of, written_down

OPEN_FILES_NEEDED: Final = 4096
MARKS: Final = {"ok": "[green]ok[/]  ", "warn": "[yellow]weak[/]", "fail": "[red]no[/]  "}
_INFO_S: Final = 10.0  # /info asks every plugin; measured 30 ms
_TRIAL_S: Final = 90.0  # measured: 5 s, and 25 s on a machine with ten times its load
_GRACE_S: Final = 2.0  # where the doctor dies, its sandbox ends itself
_UNTRIED: Final = "Mend what stands above; then run `sandgate doctor` again."


def doctor(arguments: argparse.Namespace) -> int:
    """0 where Sandgate works here and holds what it promises, with or without weaknesses."""
    started, found = time.monotonic(), list[Check]()
    console = Console(highlight=False, soft_wrap=True)
    with Console(stderr=True).status("looking at the machine") as status:

        def tell(check: Check) -> None:
            found.append(check)
            status.update(f"looked at {check.id}")
            if not arguments.json:
                _show(console, check)

        _guarded("settings", lambda: examine(load(), tell), tell)
    counts = {each: sum(check.outcome == each for check in found) for each in ("ok", "warn", "fail")}
    outcome = next((worst for worst in ("fail", "warn") if counts[worst]), "ok")
    seconds = round(time.monotonic() - started, 1)
    if arguments.json:
        told = {"version": version("sandgate"), "outcome": outcome, "seconds": seconds}
        print(json.dumps({**told, "checks": [asdict(check) for check in found]}, indent=2))
    else:
        console.print(f"doctor: {counts['ok']} ok, {counts['warn']} weak, {counts['fail']} failed in {seconds} s")
    return 1 if outcome == "fail" else 0


def _show(console: Console, check: Check) -> None:
    console.print(f"{MARKS[check.outcome]} {check.id:18} ", end="")
    console.print(check.sentence, markup=False)
    if check.fix:
        console.print(f"{'':24}{check.fix}", markup=False, style="bold")


def examine(settings: Settings, tell: Tell) -> None:
    """In reading order: what is there, what a sandbox was tried with, what our own parts say, what the settings weaken."""
    tell(self_tests.versions())
    files = ", ".join(str(path) for path in settings_files() if path.exists())
    tell(ok("settings", f"Read without an error: {files}." if files else "There is no file of them: all defaults."))
    _all(machine.host_checks(machine.Machine(settings.runtime_dir / LONGEST_SOCKET, OPEN_FILES_NEEDED)), tell)
    last = self_tests.last_written(settings.audit_file)
    places, info, now = {"state": settings.state_dir}, dict[str, Any](), time.time()
    try:
        engine = find_engine(ENVIRON, HOME, settings.state_dir)
        info, now = get_json(engine.url, "/info", _INFO_S), time.time()
        _all(machine.engine_checks(engine, info), tell)
        _try_a_sandbox(settings, engine, tell)
        if data := data_root(engine.url, info):
            places["engine"] = data
    except (NoEngine, Unreachable) as error:
        tell(fail("engine", str(error).removesuffix(NEXT).rstrip(), NEXT))
    if settings.egress.gate is not None:
        tell(self_tests.gate_elsewhere(settings.egress.gate))
    _guarded("policy_answers", lambda: _all(self_tests.policy(settings), tell), tell)
    tell(self_tests.database(settings))
    _all(self_tests.audit(settings), tell)
    _all(self_tests.disk(places), tell)
    tell(self_tests.clock(info, last, now))
    for number, sentence in enumerate(settings.warnings(), 1):
        tell(warn(f"settings_{number}", sentence, "Take it out of the settings where it is not wanted."))
    for number, sentence in enumerate(lacking(settings.secret, ENVIRON), 1):
        tell(warn(f"secret_{number}", f"{sentence}.", "Put it there; running servers see a file within a second."))


def _guarded(name: str, look: Callable[[], object], tell: Tell) -> None:
    """An error of ours ends one look with its sentence, which says what to do, and not the whole examination."""
    try:
        look()
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        tell(fail(name, f"{sentence}.", _UNTRIED))


def _sentence(error: BaseException) -> str | None:
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := _sentence(inner))), None)
    if isinstance(error, TimeoutError):
        return "It took too long"
    return str(error) if type(error).__module__.startswith("server.") or isinstance(error, OSError) else None


def _all(checks: Iterable[Check], tell: Tell) -> None:
    for check in checks:
        tell(check)


def _try_a_sandbox(settings: Settings, engine: Engine, tell: Tell) -> None:
    there = list(machine.image_checks(engine, (BASE, AGENT, *_default_image(settings))))
    _all(there, tell)
    if any(check.outcome == "fail" for check in there):
        tell(fail("sandbox", "None was tried: its images are not there.", _UNTRIED))
        return
    _guarded("sandbox", lambda: anyio.run(_tried, _spec(settings), settings, engine, tell), tell)


def _default_image(settings: Settings) -> Iterator[str]:
    image = settings.sandbox.images.get(settings.environment, "")
    if image.startswith("sandgate/") and image != "sandgate/base":
        yield image.removeprefix("sandgate/")


async def _tried(spec: SandboxSpec, settings: Settings, engine: Engine, tell: Tell) -> None:
    """A sandbox as the settings have it, only smaller and without anybody's folders."""
    server_id, store, started = secrets.token_hex(4), Store(settings.database), time.monotonic()
    with (
        anyio.fail_after(_TRIAL_S),
        tempfile.TemporaryDirectory(prefix="sandgate-doctor-") as folder,
        serving(Path(folder)) as origin,
        own(settings.runtime_dir, settings.state_dir, server_id, lambda: written_down(store)) as folders,
    ):
        async with _sandbox(spec, settings, engine, folders, origin) as sandbox:
            tell(ok("sandbox", f"One was made, and its agent answered, in {time.monotonic() - started:.1f} s."))
            found = await sandbox.resolve("/etc/hostname")
            tell(ok("file_tools", f"The agent opens files as the commands' user ({found.real})."))
            await broken(sandbox, _namespaces(engine), tell)
            await gate(sandbox, origin, tell)
            await limits(sandbox, tell)
    store.close()


@asynccontextmanager
async def _sandbox(
    spec: SandboxSpec, settings: Settings, engine: Engine, folders: Folders, origin: Origin
) -> AsyncGenerator[DockerSandbox]:
    link = EgressLink(
        ca_dir=authority(settings),
        on_event=lambda _: None,
        upstream_ca=origin.certificate,
        networks=["127.0.0.1/32"],
        resolve=resolved(),
        environment={name: ENVIRON[name] for name in ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in ENVIRON},
    )
    async with link, anyio.create_task_group() as tasks:
        gate_of = Gate(link, folders.sockets, authority(settings) / "ca.pem", system_roots(), tasks)
        maker = DockerEngine(
            find=lambda: engine.url,
            directory=folders.sockets,
            server_id=folders.server_id,
            seccomp=seccomp_file(),
            surroundings=Surroundings(variables(LINK_DIR)),
            grace_s=_GRACE_S,
            tasks=tasks,
            weakened=lambda _: None,  # what the engine lacks was said above
            link=link_of(settings),
            weighs=settings.sandbox.weigh_disks,
        )
        link.start()
        sandbox = await maker.create(spec)
        try:
            await gate_of.attach(sandbox.id, allowed(origin))
            yield sandbox
        finally:
            with anyio.CancelScope(shield=True):
                await gate_of.detach(sandbox.id)
                await sandbox.close()
                await maker.close()
            tasks.cancel_scope.cancel()


def _spec(settings: Settings) -> SandboxSpec:
    """What sandboxes are by default, with none of the folders, and of the image that has what the attempts need."""
    small = replace(chosen(settings, ()), cpus=CPUS, memory_bytes=MEMORY, pids=PIDS, disk_bytes=DISK, open_files=FILES)
    return replace(small, image=recipe(BASE).tag.removesuffix(":latest"))


def _namespaces(engine: Engine) -> tuple[str, ...]:
    """This machine's own, by which a sandbox that has them as well would be recognised."""
    shared = engine.kernel == os.uname().release
    return tuple(str(path.readlink()) for path in Path("/proc/self/ns").iterdir()) if shared else ()
