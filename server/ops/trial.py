"""A real sandbox, made as a session's is, in which every control is tried; and the gate beside it."""

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import anyio

from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Access, Allow, permit
from server.ops import attempts
from server.ops.check import Check, Tell, fail, ok, warn
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.sandbox import MIB, WORKSPACE, Exit

PYTHON: Final = ("/usr/bin/python3", "-I", "-c")
CPUS, MEMORY, PIDS, DISK, FILES = 0.5, 128 * MIB, 64, 64 * MIB, 1024  # small, so that a trial is short and harmless
_LONGEST_S: Final = 60.0  # on a busy machine; the longest of them sleeps for 12 s
_SPIN_S: Final = 0.6
_ONE_PERIOD_S: Final = 0.15  # the scheduler hands out a period's share at once, to each of two
_REPORT: Final = (
    "Do not give this machine to an agent; run `sandgate images build --force`, update the engine, and report it "
    "(SECURITY.md) if it stays."
)

HELD: Final = {
    "root": "Commands are an ordinary user and cannot become root",
    "capabilities": "All five capability sets of a command are empty",
    "setuid": "Nothing gains by setuid, and no file can be made so",
    "seccomp": "The filter is on; bpf, kexec, io_uring and their like are refused",
    "interfaces": "There is no network interface but loopback",
    "network": "No way leads past the gate, by IPv4, IPv6, packets or vsock",
    "files": "Nothing outside the command's folders can be written",
    "landlock": "The kernel holds a command to its own paths",
    "agent": "The agent can be neither traced, read nor signalled",
    "mounts": "Nothing can be mounted, and no user namespace made",
    "devices": "No device can be opened or made",
    "engine": "No engine's socket is in sight",
    "host": "Processes, mounts, network, IPC and host name are its own",
}

_MEMORY = f"import mmap\nkept = [mmap.mmap(-1, 1 << 20) for _ in range({MEMORY // MIB * 2})]\nfor m in kept: m.write(b'x' * (1 << 20))"
_PIDS = f"""
import os, signal, time
made = []
try:
    for _ in range({PIDS * 2}):
        if not (pid := os.fork()): time.sleep(60); os._exit(0)
        made.append(pid)
except OSError: pass
for pid in made: os.kill(pid, signal.SIGKILL)
print(len(made))
"""
_FILES = f"""
import os
made = []
try:
    while len(made) < {FILES * 2}: made.append(os.open("/dev/null", os.O_RDONLY))
except OSError: pass
print(len(made))
"""
_CPU = f"""
import os, time
end = time.monotonic() + {_SPIN_S}
child = os.fork()
while time.monotonic() < end: pass
if not child: os._exit(0)
os.wait()
print(sum(os.times()[:4]))
"""
_DISK = f"""
import os, time
with open(".sandgate-doctor-fill", "ab") as file:
    for _ in range({DISK // MIB * 2}): file.write(os.urandom(1 << 20))
    file.flush()
    time.sleep(12)
"""


@dataclass
class _Said:
    out: bytearray = field(default_factory=bytearray)
    end: Exit = field(default_factory=lambda: Exit("running"))
    over: anyio.Event = field(default_factory=anyio.Event)

    def write(self, _: int, data: bytes) -> None:
        self.out += data[: MIB - len(self.out)]

    def ended(self, end: Exit) -> None:
        self.end = end
        self.over.set()

    def cleared(self) -> None:
        """What it leaves behind goes with the sandbox."""


async def said(
    sandbox: DockerSandbox,
    script: str,
    *argv: str,
    timeout_s: float = _LONGEST_S,
    write: tuple[str, ...] = (WORKSPACE,),
) -> tuple[Exit, str]:
    """What a Python script of the operator's own did in the sandbox, and what it printed."""
    act = RunCommand((*PYTHON, script, *argv), WORKSPACE, b"", timeout_s, background=False)
    question = Question(CallerFacts("local"), "exec", SessionFacts("doctor", sandbox.spec.environment), act, {})
    heard = _Said()
    with anyio.fail_after(_LONGEST_S):
        await sandbox.run(permit(question, Allow(access=Access(write=(*write, "/dev")))), heard)
        await heard.over.wait()
    return heard.end, heard.out.decode("utf-8", "replace").strip()


async def broken(sandbox: DockerSandbox, namespaces: tuple[str, ...], tell: Tell) -> None:
    """What of the controls gave way. `namespaces`: the host's own, where it shares our kernel."""
    end, text = await said(sandbox, inspect.getsource(attempts), *namespaces)
    try:
        found = json.loads(text)
    except ValueError:
        tell(fail("attempts", f"None to break out could be made ({end.status}: {text[-200:]}).", _REPORT))
        return
    for check in judged(found, sandbox.landlock_abi):
        tell(check)


def judged(found: Mapping[str, str], landlock_abi: int) -> Iterator[Check]:
    """Of what the attempts printed. An attempt that was not made did not hold."""
    for name, held in HELD.items():
        gave = found.get(name, "it was not tried")
        if not gave:
            yield ok(f"held_{name}", f"{held} (tried).")
        elif name == "landlock" and not landlock_abi:
            yield warn(f"held_{name}", f"Not held: {gave}.", "Boot a kernel with Landlock (Linux 5.19 or later).")
        else:
            yield fail(f"held_{name}", f"Broken: {gave}.", _REPORT)


async def limits(sandbox: DockerSandbox, tell: Tell) -> None:
    """Each limit, by going beyond it. The one of the disk comes last: a full sandbox runs nothing more."""
    end, _ = await said(sandbox, _MEMORY)
    tell(_limit("memory", f"{MEMORY // MIB} MB", held=end.status == "out_of_memory", saw=_ended(end)))
    _, text = await said(sandbox, _PIDS)
    tell(_limit("pids", f"{PIDS} processes", held=_number(text) < PIDS, saw=f"{text} could be started"))
    _, text = await said(sandbox, _FILES)
    tell(_limit("open_files", f"{FILES} open files", held=_number(text) < FILES, saw=f"{text} could be opened"))
    _, text = await said(sandbox, _CPU)
    share = _number(text) / _SPIN_S
    fair = _number(text) <= CPUS * _SPIN_S + 2 * _ONE_PERIOD_S
    tell(_limit("cpu", f"{CPUS} of a processor", held=fair, saw=f"two busy loops had {share:.2f}"))
    end, _ = await said(sandbox, "import time; time.sleep(60)", timeout_s=0.5)
    tell(_limit("time", "half a second", held=end.status == "timed_out", saw=_ended(end)))
    end, _ = await said(sandbox, _DISK)
    if not _stopped(
        end
    ):  # without a quota it is measured by the room that is left, which others may have made meanwhile
        end, _ = await said(sandbox, _DISK)
    tell(_limit("disk", f"{DISK // MIB} MB of disk", held=_stopped(end), saw=_ended(end)))


def _stopped(end: Exit) -> bool:
    """By the watch, or with the error that a quota gives."""
    return end.status == "disk_full" or (end.status == "exited" and end.exit_code == 1)


def _limit(name: str, what: str, *, held: bool, saw: str) -> Check:
    if held:
        return ok(f"limit_{name}", f"Went beyond {what}: {saw}.")
    return fail(
        f"limit_{name}",
        f"The limit of {what} does not hold: {saw}.",
        "Let the engine limit it (`docker info` must not warn of missing limits), or use another engine.",
    )


def _ended(end: Exit) -> str:
    return end.status.replace("_", " ") + (f" with {end.exit_code}" if end.exit_code is not None else "")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")
