"""images/seccomp.json, tried in a real container call by call and compared with the same walk without it."""

import errno
import json
import platform
from pathlib import Path
from typing import Any

import pytest

from server.sandbox.image_recipe import seccomp_file
from tests.real_engine import run

pytestmark = pytest.mark.timeout(600)  # a walk is a process for each call, and there are three

PROFILE = json.loads(seccomp_file().read_text())
WALK = Path(__file__).with_name("syscall_walk.py").read_text()
PLAIN = [group for group in PROFILE["syscalls"] if "args" not in group]
X86 = platform.machine() == "x86_64"
NAMESPACES = {
    "mount": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
FAMILIES = {
    "unix": 1,
    "inet": 2,
    "inet6": 10,
    "appletalk": 5,
    "packet": 17,
    "tipc": 30,
    "alg": 38,
    "vsock": 40,
    "xdp": 44,
}
DGRAM, SIGCHLD, UEVENT = 2, 17, 15
CALLS: dict[str, list[str | int]] = {
    **{f"clone new {name}": ["clone", flag | SIGCHLD, 0, 0, 0, 0] for name, flag in NAMESPACES.items()},
    **{f"socket {name}": ["socket", family, DGRAM, 0] for name, family in FAMILIES.items()},
    "socket netlink route": ["socket", 16, DGRAM, 0],
    "socket netlink uevent": ["socket", 16, DGRAM, UEVENT],
    "socket vsock with high bits": ["socket", 40 | 1 << 32, DGRAM, 0],
    "socketpair tipc": ["socketpair", 30, DGRAM, 0, 0],
    "clone": ["clone", SIGCHLD, 0, 0, 0, 0],
    "personality linux32": ["personality", 8],
    "personality read implies exec": ["personality", 0x0400000],
}
# What differs from the list that Docker itself brings (26.1's; a newer one is nearer to ours), and why.
WIDER = {
    "mseal": "a program closes parts of its own memory for good: glibc 2.41 tries it at each start",
    "setxattrat": "as setxattr, by a folder's handle",
    "getxattrat": "as getxattr, by a folder's handle",
    "listxattrat": "as listxattr, by a folder's handle",
    "removexattrat": "as removexattr, by a folder's handle",
}
NARROWER = {
    "modify_ldt": "16-bit and 32-bit segments: Wine's need, and a history of kernel bugs",
    "adjtimex": "the machine's clock",
    "clock_adjtime": "the machine's clock",
    "fanotify_mark": "goes with fanotify_init, which takes a capability",
    "name_to_handle_at": "files by handle: half of a way round paths",
    **dict.fromkeys(
        ("io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit"),
        "its requests are counted for the whole machine: one sandbox could take all of them",
    ),
    "memfd_secret": "memory that not even the kernel's own view of a process shows",
    "socket": "any family but those that programs need; of those that are tried:",
    "socketpair": "any family but Unix",
    "socket alg": "the kernel's ciphers: surface that no program needs",
    "socket appletalk": "a network that is not there",
    "socket packet": "raw packets",
    "socket tipc": "a network that is not there, and a history of kernel bugs",
    "socket vsock": "it reaches the hypervisor",
    "socket vsock with high bits": "the same, as the kernel reads it",
    "socket xdp": "raw packets",
    "socket netlink uevent": "what the machine's devices do",
    "socketpair tipc": "as the socket",
}
REFUSALS = {"EPERM", "ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT"}


@pytest.fixture(scope="module")
def confined() -> dict[str, Any]:
    return walk(f"seccomp={json.dumps(PROFILE)}")


@pytest.fixture(scope="module")
def dockers() -> dict[str, Any]:
    return walk()


@pytest.fixture(scope="module")
def unconfined() -> dict[str, Any]:
    return walk("seccomp=unconfined")


def walk(*seccomp: str) -> dict[str, Any]:
    names = [name for group in PLAIN for name in group["names"]]
    asked = json.dumps({"walk": names, "calls": CALLS, "doors": X86})
    code, said = run(
        "sandgate/base",
        "/usr/bin/python3",
        ["-c", WALK, asked],
        security_opt=[*seccomp, "no-new-privileges"],
        cap_drop=["ALL"],
        network_mode="none",
    )
    assert code == 0, said
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def test_every_allowed_call_reaches_the_kernel(confined: dict[str, Any], unconfined: dict[str, Any]) -> None:
    allowed = [name for group in PLAIN if group["action"] == "SCMP_ACT_ALLOW" for name in group["names"]]

    stopped = {
        name: confined["walk"][name]
        for name in allowed
        if confined["walk"][name] in {"EPERM", "ENOSYS", "SIGSYS"}
        and confined["walk"][name] != unconfined["walk"][name]
    }

    assert len(allowed) > 250
    assert stopped == {}


def test_every_refused_call_answers_as_the_profile_says(confined: dict[str, Any]) -> None:
    refused = {
        name: errno.errorcode[group["errnoRet"]]
        for group in PLAIN
        if group["action"] == "SCMP_ACT_ERRNO"
        for name in group["names"]
    }

    answers = {name: confined["walk"][name] for name in refused if confined["walk"][name] != "absent"}

    assert len(answers) > 40
    assert answers == {name: refused[name] for name in answers}


def test_each_difference_from_dockers_own_list_has_its_reason(
    confined: dict[str, Any], unconfined: dict[str, Any], dockers: dict[str, Any]
) -> None:
    ours, theirs, free = ({**found["walk"], **found["calls"]} for found in (confined, dockers, unconfined))

    def refused_by(mine: dict[str, str], other: dict[str, str]) -> set[str]:
        there = [name for name in mine if free[name] != "ENOSYS"]  # of what a kernel lacks, no list says anything
        return {name for name in there if mine[name] in REFUSALS and mine[name] != free[name] == other[name]}

    assert len(ours) > 350
    assert refused_by(theirs, ours) <= WIDER.keys()
    assert refused_by(ours, theirs) <= NARROWER.keys()


@pytest.mark.parametrize("name", NAMESPACES)
def test_a_process_gets_no_namespace_of_its_own(name: str, confined: dict[str, Any]) -> None:
    assert confined["calls"][f"clone new {name}"] == "EPERM"


def test_a_plain_fork_works(confined: dict[str, Any]) -> None:
    assert confined["calls"]["clone"] == "ok"


@pytest.mark.parametrize("family", ["unix", "inet", "inet6", "netlink route"])
def test_a_socket_of_a_family_that_programs_need_opens(family: str, confined: dict[str, Any]) -> None:
    assert confined["calls"][f"socket {family}"] == "ok"


@pytest.mark.parametrize("family", ["appletalk", "packet", "tipc", "alg", "vsock", "xdp"])
def test_a_socket_of_any_other_family_is_not_supported(family: str, confined: dict[str, Any]) -> None:
    assert confined["calls"][f"socket {family}"] == "EAFNOSUPPORT"


def test_netlink_speaks_of_routes_only(confined: dict[str, Any]) -> None:
    assert confined["calls"]["socket netlink uevent"] == "EPROTONOSUPPORT"


def test_a_family_hidden_behind_high_bits_is_refused_too(confined: dict[str, Any]) -> None:
    assert confined["calls"]["socket vsock with high bits"] == "EAFNOSUPPORT"


def test_a_pair_of_sockets_of_another_family_is_not_supported(confined: dict[str, Any]) -> None:
    assert confined["calls"]["socketpair tipc"] == "EAFNOSUPPORT"


def test_only_harmless_personalities_are_taken(confined: dict[str, Any]) -> None:
    assert confined["calls"]["personality linux32"] == "ok"
    assert confined["calls"]["personality read implies exec"] == "ENOSYS"


@pytest.mark.skipif(not X86, reason="other doors into the kernel are an x86 matter")
@pytest.mark.parametrize("door", ["i386", "x32"])
def test_no_other_system_call_table_answers(door: str, confined: dict[str, Any]) -> None:
    assert confined["doors"][door] in {"SIGSYS", "ENOSYS", "refused"}


def test_every_group_says_why() -> None:
    assert [group["names"] for group in PROFILE["syscalls"] if len(group.get("comment", "")) < len("Randomness.")] == []


def test_no_call_is_named_twice_without_conditions() -> None:
    names = [name for group in PLAIN for name in group["names"]]

    assert sorted(names) == sorted(set(names))
