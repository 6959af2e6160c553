"""A place where real bash may run hostile text: alone in a root of its own, without a program, a network or a name.

Every word list that bash would have started a program with is written down by command_not_found_handle. Namespaces for
user, mounts, net, pid, ipc and host name are thrown away with each script; what it wrote is emptied before the next.
"""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

HOME, CWD = "/home/dev", "/workspace"
TIMEOUT_S = 8
_NOBODY = 65534  # root's processes are not counted, so a bomb would have no bound
_FOLDERS = ("workspace/a/b", "workspace/b/a", "home/dev", "tmp")
_FIRST = """ulimit -u 48 -t 2 -f 4096 -n 64 -v 500000
export PATH=/nonexistent
BASH_ENV= ENV= builtin exec /bin/bash --noprofile --norc -c "$1" 2>/dev/null
"""
# PID 1 outlives the script: what it left in the background is killed with PID 1, and would not be seen.
_INIT = """/bin/bash --noprofile --norc -c "$0" "$@" <>/pause
for ((round = 0; round < 100; round++)); do
    set -- /proc/[0-9]*
    [ $# -le 1 ] && break
    read -rt 0.02 <>/pause
done"""
# `cat` alone does what it does, because the reader knows what `$(cat <<E ...)` prints; and `bash` is bash.
_HANDLER = """command_not_found_handle() {
builtin printf '%s\\0' "$PWD" "$#" "$@" >>/witness
[ "$*" = cat ] && { builtin local -a all; builtin mapfile -d '' -t all; builtin printf %s "${all[@]}"; builtin return 0; }
[ "$1" = bash ] && { builtin export -f command_not_found_handle; builtin shift; /bin/bash --norc "$@"; builtin return; }
case "${2-}" in (*[13579]) builtin return 1;; esac; }
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """One command that bash tried to start: where, and with which words."""

    cwd: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Jail:
    root: Path

    @classmethod
    def build(cls, root: Path) -> Self:
        """bash, the libraries it names, and the few device names that scripts use."""
        program = shutil.which("bash-static") or shutil.which("bash") or "/bin/bash"
        for folder in ("bin", "proc", "dev", *_FOLDERS):
            (root / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(program, root / "bin/bash")
        for library in _libraries(program):
            (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, root / library[1:])
        for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
            (root / "dev" / name).symlink_to(target)
        for name in ("witness", "dev/null"):
            (root / name).touch()
            (root / name).chmod(0o666)
        os.mkfifo(root / "pause", 0o666)
        (root / "pause").chmod(0o666)
        root.chmod(0o755)
        return cls(root)

    def works(self) -> bool:
        """Whether this kernel lets us have namespaces of our own."""
        return self.run("probe works") == [Ran(CWD, ("probe", "works"))]

    def run(self, script: str) -> list[Ran]:
        """What bash tried to start for this script, in order; what is not done in time is not seen."""
        self._empty()
        with subprocess.Popen(
            [*_UNSHARE, f"--root={self.root}", "/bin/bash", "-c", _INIT, _FIRST, "bash", _HANDLER + script],
            env={"PATH": os.defpath, "HOME": HOME, "LC_ALL": "C.UTF-8", "FUNCNEST": "6"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as running:
            try:
                running.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                _end(running)
        fields = (self.root / "witness").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
        return list(_records(fields))

    def _empty(self) -> None:
        for folder in {name.partition("/")[0] for name in _FOLDERS}:
            shutil.rmtree(self.root / folder, ignore_errors=True)
        for folder in _FOLDERS:
            path = self.root / folder
            path.mkdir(parents=True, exist_ok=True)
            for part in (path, *path.parents):
                if part == self.root:
                    break
                part.chmod(0o777)
        for name in ("witness", "dev/null"):
            (self.root / name).write_bytes(b"")


_UNSHARE = (
    *(("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups") if os.geteuid() == 0 else ()),
    *("unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"),
    *("--mount-proc=/proc", f"--wd={CWD}"),
)


def _end(unshare: "subprocess.Popen[bytes]") -> None:
    """By the namespace's PID 1, which ends after all in it: what still ran would be taken for the next script's."""
    inside = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
    for pid in inside or [str(unshare.pid)]:
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def _libraries(program: str) -> list[str]:
    """What the loader would map; nothing for a static program."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [word for line in said.splitlines() for word in line.split() if word.startswith("/")]


def _records(fields: list[str]) -> list[Ran]:
    found = []
    while len(fields) > 1:
        count = int(fields[1])
        found.append(Ran(fields[0], tuple(fields[2 : 2 + count])))
        fields = fields[2 + count :]
    return found
