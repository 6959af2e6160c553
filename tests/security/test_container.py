"""What a command in a sandbox can be and reach, tried from inside a real one."""

import signal

import pytest

from policy.verdict import Access
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.sandbox import SHARED_MEMORY, FileRefused
from tests.live import read_file, run, shell, using
from tests.real_engine import client

pytestmark = [pytest.mark.anyio, pytest.mark.promise("sandbox.powerless")]


async def test_a_command_is_nobody(lasting_box: DockerSandbox) -> None:
    said = await shell(
        lasting_box,
        "id -u; id -G; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; nice; cat /proc/self/oom_score_adj",
    )
    lines = said.text.split()

    assert lines[:2] == ["1000", "1000"]
    assert [lines[lines.index(f"Cap{kind}:") + 1] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == ["0" * 16] * 5
    assert lines[lines.index("NoNewPrivs:") + 1] == "1"
    assert lines[lines.index("Seccomp:") + 1] == "2"
    assert lines[-2:] == ["19", "500"]


@pytest.mark.parametrize(
    "attempt",
    [
        "cat /proc/1/environ",
        "cat /proc/1/mem",
        "ls /proc/1/fd",
        "cat /proc/1/maps",
        "ls /opt/sandgate/agent",
        "cat /opt/sandgate/agent/agent.py",
        "kill -9 1",
        "kill -STOP 1",
        "kill -9 $PPID",
        "echo x > /run/sandgate/control.sock",
        "touch /run/sandgate/x",
        "ln -s /tmp /run/sandgate/link",
        "touch /etc/x",
        "touch /usr/bin/x",
        "cat /etc/shadow",
        "sudo -n true",
        "mount -t tmpfs none /mnt",
        "unshare -Urn true",
        "unshare -m true",
        "chroot / true",
        "mknod /tmp/disk b 8 0",
        "echo 1000 > /proc/self/oom_score_adj && echo -1000 > /proc/self/oom_score_adj",
        "echo b > /proc/sysrq-trigger",
        "echo 1 > /proc/sys/kernel/core_pattern",
        "cat /proc/kcore | grep -q .",
        "cat /proc/keys | grep -q .",
        "cat /proc/timer_list | grep -q .",
        "ls -A /sys/firmware | grep -q .",
        "ls -A /proc/acpi | grep -q .",
        "touch /proc/sys/vm/drop_caches",
        "echo 1 > /proc/irq/default_smp_affinity",
        "python3 -c 'import os; os.setuid(0)'",
        "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'",
        "python3 -c 'import socket; socket.socket(40, socket.SOCK_STREAM)'",
        "python3 -c 'import socket; socket.socket(38, socket.SOCK_SEQPACKET)'",
        "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'",
    ],
)
async def test_what_is_out_of_reach_stays_out_of_reach(lasting_box: DockerSandbox, attempt: str) -> None:
    said = await shell(lasting_box, attempt)

    assert said.end.exit_code != 0, said.text


@pytest.mark.parametrize(
    "attempt",
    [
        "chmod 4755 f",
        "chmod 2755 f",
        "chmod u+s f",
        "install -m 4755 f g",
        "cp /bin/true f && chmod 6755 f",
        "python3 -c 'import os; os.open(\"s1\", os.O_CREAT | os.O_WRONLY, 0o4755)'",
        "python3 -c 'import os; os.mknod(\"s2\", 0o104755)'",
        "python3 -c 'import os; os.fchmod(os.open(\"f\", 0), 0o4755)'",
        "python3 -c 'import ctypes; l = ctypes.CDLL(None, use_errno=True); exit(l.syscall(452, -100, b\"f\", 0o4755, 0) and 1)'",
        'python3 -c \'import ctypes, struct; l = ctypes.CDLL(None); exit(l.syscall(437, -100, b"s3", struct.pack("QQQ", 0o101, 0o4755, 0), 24) < 0)\'',
    ],
)
async def test_no_file_ever_gets_a_setuid_bit(lasting_box: DockerSandbox, attempt: str) -> None:
    await shell(lasting_box, f"cd /workspace && touch f && {attempt}")
    said = await shell(lasting_box, "find /workspace /tmp -perm /6000 -not -type d")

    assert said.text == ""


async def test_files_without_such_a_bit_are_made_and_changed_freely(lasting_box: DockerSandbox) -> None:
    said = await shell(
        lasting_box,
        "cd /tmp && install -m 755 /bin/true t && chmod 700 t && ./t && mkdir -p a/b && mv a/b c && ln t u && echo fine",
    )

    assert said.text == "fine\n"


PROJECTS = """
import ctypes, errno, os
l = ctypes.CDLL(None, use_errno=True)
fd, told = os.open('.', os.O_RDONLY), ctypes.create_string_buffer(64)
def asked(request):
    return 'done' if l.ioctl(fd, ctypes.c_ulong(request), told) >= 0 else errno.errorcode[ctypes.get_errno()]
get, put, get_flags, put_flags = 0x801C581F, 0x401C5820, 0x80086601, 0x40086602
print(*map(asked, (get, put, put | 1 << 32, get_flags, put_flags, put_flags | 1 << 32)))
"""


async def test_a_file_stays_in_the_project_that_the_disks_quota_counts(lasting_box: DockerSandbox) -> None:
    """Its owner could move it to another's, or have what is made in a folder counted nowhere."""
    said = await run(lasting_box, "python3", "-c", PROJECTS)

    assert said.text == "done EPERM EPERM done EPERM EPERM\n"


CRASH = """
import os, resource
CORE = resource.RLIMIT_CORE
resource.setrlimit(CORE, (0, 0))
try: resource.prlimit(0, CORE, (0, 1))
except PermissionError: print('refused')
print(resource.getrlimit(CORE), resource.prlimit(0, CORE), os.system('ulimit -c 0'), flush=True)
os.abort()
"""


async def test_a_crash_leaves_no_dump_and_starts_nothing_on_the_host(lasting_box: DockerSandbox) -> None:
    """Only at exactly 1 byte does the kernel start no program for it; who would have fewer is told that it has."""
    said = await run(lasting_box, "python3", "-c", CRASH)

    assert (said.text, said.end.signal) == ("refused\n(1, 1) (1, 1) 0\n", signal.SIGABRT)
    assert (await shell(lasting_box, "ls -A | grep core")).text == ""


async def test_nothing_in_the_image_carries_a_setuid_bit(lasting_box: DockerSandbox) -> None:
    said = await shell(lasting_box, "find / -xdev -perm /6000 -type f 2>/dev/null; true")

    assert said.text == ""


@pytest.mark.promise("egress.only_gate")
async def test_there_is_no_interface_but_loopback(lasting_box: DockerSandbox) -> None:
    said = await run(lasting_box, "ls", "/sys/class/net")

    assert said.text == "lo\n"


@pytest.mark.promise("egress.only_gate")
@pytest.mark.parametrize(
    "attempt",
    [
        "timeout 5 bash -c 'exec 3<>/dev/tcp/203.0.113.7/443'",
        "timeout 5 bash -c 'exec 3<>/dev/tcp/203.0.113.7/9'",
        "timeout 5 bash -c 'exec 3<>/dev/tcp/169.254.169.254/80'",
        "timeout 5 bash -c 'exec 3<>/dev/tcp/172.17.0.1/80'",
        'timeout 5 python3 -c \'import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b"x", ("203.0.113.7", 9))\'',
        'timeout 5 python3 -c \'import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b"x", ("8.8.8.8", 53))\'',
        "timeout 5 python3 -c 'import socket; socket.create_connection((\"2001:db8::1\", 443), 3)'",
        'timeout 5 python3 -c \'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1).sendto(b"x" * 8, ("203.0.113.7", 0))\'',
        'python3 -c \'import socket; s = socket.socket(16, 3, 0); s.send(b"\\x14\\0\\0\\0\\x18\\0\\5\\6" + b"\\0" * 12); r = s.recv(99); exit(int.from_bytes(r[16:20], "little", signed=True) != 0)\'',
    ],
)
async def test_no_packet_leaves_by_itself(lasting_box: DockerSandbox, attempt: str) -> None:
    said = await shell(lasting_box, attempt)

    assert said.end.exit_code != 0, said.text


@pytest.mark.promise("files.handle")
@pytest.mark.parametrize(
    "path",
    [
        "/proc/1/environ",
        "/proc/self/root/etc/hostname",
        "/proc/self/fd/3",
        "/opt/sandgate/agent/agent.py",
        "/etc/shadow",
    ],
)
async def test_the_file_tools_reach_no_further_than_commands(lasting_box: DockerSandbox, path: str) -> None:
    with pytest.raises(FileRefused):
        await read_file(lasting_box, path)


@pytest.mark.parametrize("kind", ["mkfifo pipe", "ln -s /dev/zero pipe", "mkdir pipe"])
async def test_the_file_tools_read_regular_files_only_and_never_wait(lasting_box: DockerSandbox, kind: str) -> None:
    await shell(lasting_box, f"cd /workspace && rm -rf pipe && {kind}")

    with pytest.raises(FileRefused):
        await read_file(lasting_box, "/workspace/pipe")


@pytest.mark.promise("files.handle")
async def test_a_swapped_file_is_still_the_one_that_was_opened(lasting_box: DockerSandbox) -> None:
    await shell(lasting_box, "cd /workspace && echo judged > target && echo other > other")
    found = await lasting_box.resolve("/workspace/target")
    await shell(lasting_box, "cd /workspace && ln -sf other target2 && mv target2 target")
    content = await lasting_box.read(using(found.real), found, 100)

    assert content.data == b"judged\n"


async def test_path_rules_hold_where_no_parser_looked(lasting_box: DockerSandbox) -> None:
    narrow = Access(read=("/usr", "/lib", "/lib64", "/bin", "/etc", "/dev", "/workspace"), write=("/tmp",))
    await shell(lasting_box, "echo x > /workspace/kept")

    inside = await shell(lasting_box, 'python3 -c \'open("/tmp/fine", "w")\' && cat /workspace/kept', access=narrow)
    written = await shell(lasting_box, 'python3 -c \'open("/workspace/new", "w")\'', access=narrow)
    read = await shell(lasting_box, "python3 -c 'import os; os.system(\"cat /home/agent/.bashrc\")'", access=narrow)

    assert inside.text == "x\n"
    assert "Permission denied" in written.text
    assert "Permission denied" in read.text


async def test_the_engine_holds_every_limit_of_the_specification(lasting_box: DockerSandbox) -> None:
    with client() as api:
        told = api.inspect_container(f"sandgate-{lasting_box.id}")
    host = told["HostConfig"]

    assert (host["NetworkMode"], told["Config"]["NetworkDisabled"]) == ("none", True)
    assert not told["NetworkSettings"]["Networks"]
    assert host["CapDrop"] == ["ALL"]
    assert {name.removeprefix("CAP_") for name in host["CapAdd"]} == {"SETUID", "SETGID", "KILL", "SETPCAP"}
    assert (host["Memory"], host["MemorySwap"]) == (lasting_box.spec.memory_bytes, lasting_box.spec.memory_bytes)
    assert (host["PidsLimit"], host["NanoCpus"]) == (lasting_box.spec.pids, int(lasting_box.spec.cpus * 1e9))
    assert {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]} == {"nofile": lasting_box.spec.open_files}
    assert "nr_inodes=4096" in host["Tmpfs"][SHARED_MEMORY]
    assert set(host["Sysctls"]) == {"kernel.shmall", "kernel.sem", "kernel.msgmni"}
    assert (host["IpcMode"], host["CgroupnsMode"], host["LogConfig"]["Type"]) == ("private", "private", "none")
    assert told["Config"]["Healthcheck"]["Test"] == ["NONE"]
    assert host["AutoRemove"] is True
    assert {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"} <= set(host["MaskedPaths"])
    assert {"/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"} <= set(host["ReadonlyPaths"])
    assert not host["Privileged"]
    assert any(option.startswith("seccomp=") for option in host["SecurityOpt"])
    assert "no-new-privileges" in host["SecurityOpt"]
