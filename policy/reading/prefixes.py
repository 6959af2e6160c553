"""Programs that run the command written after their own options: one table, one reading."""

import re
from dataclasses import dataclass

from policy.command import Assign
from policy.reading.assignment import appended, prepended
from policy.reading.effect import UNCHANGED, Call, Effects, Run, RunScript
from policy.reading.options import NO_OPTIONS, Grammar, Parsed, parse
from policy.reading.piece import Word


@dataclass(frozen=True, slots=True)
class Prefix:
    """skip: operands of its own before the command. chdir: options that name a directory. text: options that hold
    shell text. idle: options with which it runs nothing. setenv: options that set a variable, with its name where the value
    does not begin with it. pipes: options with a file, or a command behind a bar or an exclamation mark. elsewhere: under
    another root or machine."""

    options: Grammar = NO_OPTIONS
    skip: int = 0
    assigns: bool = False
    chdir: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    pipes: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    setenv: tuple[tuple[str, str], ...] = ()
    elsewhere: bool = False
    replaces: bool = False
    opens_shell: bool = False  # starts a shell when no command is given


_SUDO = Grammar(
    short="ugChpDRrtTU",
    long=(
        "user", "group", "close-from", "host", "prompt", "chdir", "chroot", "role", "type", "command-timeout",
        "other-user",
    ),
)  # fmt: skip
_STRACE = Grammar(short="abeEIoOpPsSuUX", long=("attach", "output", "user", "trace", "summary-sort-by"))
_PLAIN = Prefix()

_LOADER = Prefix(
    Grammar(long=("library-path", "preload", "audit", "argv0", "inhibit-rpath", "glibc-hwcaps-prepend")),
    setenv=(("--preload", "LD_PRELOAD"), ("--audit", "LD_AUDIT"), ("--library-path", "LD_LIBRARY_PATH")),
)

PREFIXES: dict[str, Prefix] = {
    "aa-exec": Prefix(Grammar(short="pn", long=("profile", "namespace"))),
    "abduco": Prefix(Grammar(short="e"), skip=1),
    "arch": _PLAIN,
    "authbind": _PLAIN,
    "builtin": _PLAIN,
    "bwrap": Prefix(Grammar(long=(
        "chdir", "uid", "gid", "hostname", "unsetenv", "dir", "proc", "dev", "tmpfs", "mqueue", "seccomp", "args",
        "userns", "userns2", "pidns", "cap-add", "cap-drop", "exec-label", "file-label", "lock-file", "sync-fd",
        "info-fd", "json-status-fd", "block-fd", "userns-block-fd", "perms", "size", "remount-ro", "argv0",
    )), elsewhere=True),
    "busybox": _PLAIN,
    "caffeinate": Prefix(Grammar(short="tw")),
    "catchsegv": _PLAIN,
    "cgexec": Prefix(Grammar(short="g")),
    "choom": Prefix(Grammar(short="np", long=("adjust", "pid"))),
    "chpst": Prefix(Grammar(short="uUbe/Cnmdcoprst")),
    "chronic": _PLAIN,
    "chroot": Prefix(Grammar(long=("userspec", "groups")), skip=1, elsewhere=True, opens_shell=True),
    "chrt": Prefix(Grammar(short="TPD", long=("sched-runtime", "sched-period", "sched-deadline")), skip=1),
    "command": Prefix(idle=("-v", "-V")),
    "cpulimit": Prefix(Grammar(short="lpePc", long=("limit", "pid", "exe", "path"))),
    "daemon": Prefix(Grammar(short="nXFolODEuLU")),
    "daemonize": Prefix(Grammar(short="aceopulE")),
    "dbus-launch": Prefix(Grammar(long=("exit-with-session",))),
    "dbus-run-session": Prefix(Grammar(long=("config-file", "dbus-daemon"))),
    "doas": Prefix(Grammar(short="uC"), opens_shell=True),
    "dtach": Prefix(Grammar(short="er"), skip=1),
    "dumb-init": Prefix(Grammar(short="r", long=("rewrite",))),
    "eatmydata": _PLAIN,
    "entr": Prefix(),
    "envdir": Prefix(skip=1),
    "exec": Prefix(Grammar(short="a"), replaces=True),
    "expect_unbuffer": _PLAIN,
    "fakechroot": Prefix(Grammar(short="eb")),
    "fakeroot": Prefix(Grammar(short="lsib", long=("lib", "faked"))),
    "fghack": _PLAIN,
    "faketime": Prefix(Grammar(short="p"), skip=1),
    "firejail": _PLAIN,
    "gosu": Prefix(skip=1),
    "i386": _PLAIN,
    "ifne": Prefix(),
    "ld.so": _LOADER,
    "ionice": Prefix(Grammar(short="cnpPu", long=("class", "classdata", "pid", "pgid", "uid"))),
    "lckdo": Prefix(Grammar(short="W"), skip=1),
    "linux32": _PLAIN,
    "linux64": _PLAIN,
    "ltrace": Prefix(Grammar(short="aADeFlnopsuwxX", long=("library", "output")), pipes=("-o", "--output")),
    "nice": Prefix(Grammar(short="n", long=("adjustment",))),
    "nocache": Prefix(Grammar(short="n")),
    "nocorrect": _PLAIN,
    "noglob": _PLAIN,
    "nohup": _PLAIN,
    "nq": _PLAIN,
    "nsenter": Prefix(Grammar(
        short="tSG", attached="muinpCUTrwNW", long=("target", "setuid", "setgid", "wdns"),
    ), elsewhere=True, opens_shell=True),
    "numactl": Prefix(Grammar(short="iNCpPmlw", long=("interleave", "cpunodebind", "physcpubind", "membind"))),
    "pkexec": Prefix(Grammar(long=("user",))),
    "prlimit": Prefix(Grammar(short="po", attached="cdefilmnqrstuvxy", long=("pid", "output"))),
    "proot": Prefix(Grammar(
        short="rbmqwkivS", long=("rootfs", "bind", "mount", "qemu", "pwd", "cwd", "kernel-release", "change-id"),
    )),
    "proxychains": Prefix(Grammar(short="f")),
    "proxychains4": Prefix(Grammar(short="f")),
    "rlwrap": Prefix(Grammar(short="bCDefgHlMOPqsStwz", attached="amp")),
    "run-one": _PLAIN,
    "run0": Prefix(Grammar(short="uDg", long=("user", "group", "chdir", "unit", "slice", "setenv", "nice", "property"))),
    "s6-setuidgid": Prefix(skip=1),
    "s6-softlimit": Prefix(Grammar(short="acdflmnoprst")),
    "setlock": Prefix(skip=1),
    "setpriv": Prefix(Grammar(long=(
        "reuid", "ruid", "euid", "regid", "rgid", "egid", "groups", "inh-caps", "ambient-caps", "bounding-set",
        "securebits", "pdeathsig", "selinux-label", "apparmor-profile", "landlock-access", "landlock-rule",
        "seccomp-filter", "ptracer",
    ))),
    "setsid": _PLAIN,
    "setuidgid": Prefix(skip=1),
    "softlimit": Prefix(Grammar(short="adfmoplrst")),
    "ssh-agent": Prefix(Grammar(short="aEtOP")),
    "sshpass": Prefix(Grammar(short="pfdP")),
    "stdbuf": Prefix(Grammar(short="ioe", long=("input", "output", "error"))),
    "strace": Prefix(_STRACE, pipes=("-o", "--output"), setenv=(("-E", ""),)),
    "su-exec": Prefix(skip=1),
    "sudo": Prefix(_SUDO, assigns=True, chdir=("-D", "--chdir"), idle=("-l", "--list", "-K", "-V"), opens_shell=True),
    "shx": _PLAIN,
    "systemd-cat": Prefix(Grammar(short="tp", long=("identifier", "priority", "stderr-priority", "level-prefix"))),
    "systemd-inhibit": Prefix(Grammar(long=("what", "who", "why", "mode"))),
    "systemd-nspawn": Prefix(Grammar(short="DMujSEpU", long=(
        "directory", "template", "image", "machine", "user", "uuid", "slice", "setenv", "property", "bind", "bind-ro",
        "chdir", "capability", "drop-capability", "private-users", "network-interface", "tmpfs", "overlay", "rlimit",
    )), elsewhere=True),
    "systemd-run": Prefix(Grammar(short="pHMuE", long=(
        "property", "host", "machine", "unit", "description", "slice", "uid", "gid", "nice", "working-directory",
        "setenv", "on-active", "on-boot", "on-calendar", "timer-property", "path-property", "service-type",
    )), chdir=("--working-directory",), setenv=(("-E", ""), ("--setenv", ""))),
    "taskset": Prefix(Grammar(), skip=1),
    "timelimit": Prefix(Grammar(short="sStT")),
    "time": Prefix(Grammar(short="fo", long=("format", "output"))),
    "timeout": Prefix(Grammar(short="ks", long=("kill-after", "signal")), skip=1),
    "tini": Prefix(Grammar(short="pe")),
    "torify": _PLAIN,
    "torsocks": Prefix(Grammar(short="Pua", long=("address", "port", "user", "pass"))),
    "toybox": _PLAIN,
    "trickle": Prefix(Grammar(short="udwtlLn")),
    "tsocks": _PLAIN,
    "uclampset": Prefix(Grammar(short="mMp")),
    "unbuffer": _PLAIN,
    "unshare": Prefix(Grammar(
        short="SGRw",
        long=("setuid", "setgid", "root", "wd", "map-user", "map-group", "map-users", "map-groups", "propagation",
              "setgroups", "monotonic", "boottime"),
    ), elsewhere=True, opens_shell=True),
    "valgrind": _PLAIN,
    "x86_64": _PLAIN,
    "xvfb-run": Prefix(Grammar(short="enfpsw", long=(
        "error-file", "server-num", "auth-file", "xauth-protocol", "server-args", "wait",
    ))),
}  # fmt: skip


def loader(name: str) -> Prefix | None:
    """The dynamic loader runs the program it is given: ld-linux-x86-64.so.2, ld-musl-x86_64.so.1."""
    return _LOADER if _LOADER_NAME.fullmatch(name) else None


_LOADER_NAME = re.compile(r"ld(?:-[\w.-]+)?\.so(?:\.\d+)?", re.ASCII)


def run(call: Call, prefix: Prefix) -> Effects:
    """The command behind a prefix, and the shell texts in its options."""
    parsed = parse(call.operands, prefix.options)
    if parsed.has(*prefix.idle):
        return ()
    texts = tuple(
        RunScript(text.text, call.name, call.name, elsewhere=prefix.elsewhere) for text in parsed.values(*prefix.text)
    )
    texts += tuple(
        RunScript(word.text and word.text[1:], "sh", call.name, lenient=True)
        for word in parsed.values(*prefix.pipes)
        if word.begins.startswith(("|", "!"))
    )
    words, assigns = assigned(parsed.operands) if prefix.assigns else (parsed.operands, ())
    assigns += tuple(_set(name, word) for option, name in prefix.setenv for word in parsed.values(option))
    return texts + _command(call.name, prefix, words[prefix.skip :], assigns, parsed)


def _set(name: str, word: Word) -> Assign:
    variable, _, value = (name, "=", word.begins) if name else word.begins.partition("=")
    return Assign(variable, None if word.text is None else value)


def _command(
    name: str, prefix: Prefix, words: tuple[Word, ...], assigns: tuple[Assign, ...], parsed: Parsed
) -> Effects:
    if words:
        cwd = parsed.value(*prefix.chdir) if prefix.chdir else None
        return (Run(words, name, cwd or UNCHANGED, assigns, prefix.elsewhere, prefix.replaces),)
    starts_shell = prefix.opens_shell and (
        name in ("chroot", "unshare", "nsenter") or parsed.has("-s", "-i", "--shell", "--login")
    )
    return (Run((Word("sh"),), name, elsewhere=prefix.elsewhere),) if starts_shell else ()


def assigned(words: tuple[Word, ...]) -> tuple[tuple[Word, ...], tuple[Assign, ...]]:
    """NAME=value operands in front of the command, as env and sudo take them."""
    assigns: list[Assign] = []
    for index, word in enumerate(words):
        name, equals, value = word.begins.partition("=")
        if not equals:
            return words[index:], tuple(assigns)
        held = Word(word.text, template=word.template.partition("=")[2])
        known = (value, "") if word.text is not None else (None, value)
        assigns.append(Assign(name, known[0], appended(name, held), known[1], prepended(name, held)))
    return (), tuple(assigns)
