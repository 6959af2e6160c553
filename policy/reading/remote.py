"""Commands that run on another machine, in a container, or in a terminal of their own."""

import re

from policy.reading.effect import Call, Effects, Meaning, Run, RunScript, RunStdin, SetVariable, joined
from policy.reading.options import Grammar, parse
from policy.reading.piece import Word

_SSH = Grammar(short="BbcDEeFIiJLlmOopQRSWw", permute=False)
_AUTOSSH = Grammar(short=_SSH.short + "M")  # a port to ssh's watchdog, a mere flag to ssh
_CONTAINER = Grammar(
    short="aceHhlmpuvw",
    long=(
        "config", "context", "host", "log-level", "tlscacert", "tlscert", "tlskey", "env", "env-file", "user",
        "workdir", "detach-keys", "add-host", "annotation", "attach", "blkio-weight", "cap-add", "cap-drop",
        "cgroup-parent", "cgroupns", "cidfile", "cpu-period", "cpu-quota", "cpu-shares", "cpus", "cpuset-cpus",
        "cpuset-mems", "device", "dns", "dns-option", "dns-search", "domainname", "entrypoint", "expose", "gpus",
        "group-add", "health-cmd", "health-interval", "health-retries", "health-timeout", "hostname", "ip", "ip6",
        "ipc", "isolation", "kernel-memory", "label", "label-file", "link", "log-driver", "log-opt", "mac-address",
        "memory", "memory-reservation", "memory-swap", "mount", "name", "network", "net", "network-alias",
        "oom-score-adj", "pid", "pids-limit", "platform", "publish", "pull", "restart", "runtime", "security-opt",
        "shm-size", "stop-signal", "stop-timeout", "storage-opt", "sysctl", "tmpfs", "ulimit", "userns", "uts",
        "volume", "volume-driver", "volumes-from", "file", "project-name", "project-directory", "index", "profile",
    ),
    flags=("privileged", "init", "interactive", "tty", "rm", "detach", "read-only", "publish-all", "no-healthcheck"),
)  # fmt: skip
_COMPOSE = Grammar(short="fpeuwl", long=_CONTAINER.long, flags=_CONTAINER.flags)
_TMUX_LATER = frozenset(("bind", "bind-key", "confirm", "confirm-before", "set-hook"))
_TMUX_TEXT = Grammar(short="cefFnstxyLSTIl")
_TMUX_RUNS = frozenset((
    "new-session", "new", "new-window", "neww", "split-window", "splitw", "respawn-pane", "respawnp", "respawn-window",
    "respawnw", "run-shell", "run", "if-shell", "if", "display-popup", "popup", "pipe-pane", "pipep",
))  # fmt: skip


def ssh(call: Call) -> Effects:
    """The remote text; without one the remote shell reads our standard input."""
    grammar = _AUTOSSH if call.name == "autossh" else _SSH
    parsed = parse(call.operands, grammar)
    local = tuple(
        RunScript(text, "sh", f"ssh -o {name}") for name, text in map(_ssh_option, parsed.values("-o")) if name
    )
    after = parse(parsed.operands[1:], grammar)  # options may follow the host
    if parsed.operands and after.operands:
        return (*local, RunScript(joined(after.operands), "sh", "ssh", elsewhere=True))
    return (*local, RunStdin("ssh", is_shell=True, elsewhere=True, optional=True))


def _ssh_option(word: Word) -> tuple[str, str | None]:
    name, *rest = re.split(r"[\s=]+", word.begins, maxsplit=1)
    text = rest[0] if rest else ""
    runs = name.lower() in ("proxycommand", "localcommand", "knownhostscommand", "remotecommand")
    return (name if runs else "", None if word.text is None else text)


def container(call: Call) -> Effects:
    """docker and podman: exec and run, also below `container` and `compose`."""
    rest = parse(call.operands, _CONTAINER).operands
    grammar = _CONTAINER
    while rest and rest[0].text in ("container", "compose"):
        grammar = _COMPOSE if rest[0].text == "compose" else _CONTAINER
        rest = parse(rest[1:], grammar).operands
    if not rest or rest[0].text not in ("exec", "run", "create"):
        return ()
    verb = f"{call.name} {rest[0].text}"
    parsed = parse(rest[1:], grammar)
    words = parsed.operands[1:]
    if entry := parsed.value("--entrypoint"):
        words = (entry, *words)
    return (Run(words, verb, elsewhere=True),) if words else ()


def kubectl(call: Call) -> Effects:
    """`kubectl exec POD -- command`, and `kubectl run ... -- command`."""
    for index, word in enumerate(call.operands):
        if word.text == "--" and any(before.text in ("exec", "run", "debug") for before in call.operands[:index]):
            return (Run(call.operands[index + 1 :], f"{call.name} exec", elsewhere=True),)
    return ()


def tmux(call: Call) -> Effects:
    """Commands tmux starts in panes, and the keys it types into the shells there; several commands stand between `;`."""
    given = parse(call.operands, Grammar(short="cfLST"))
    effects: Effects = tuple(RunScript(word.text, "sh", "tmux -c", lenient=True) for word in given.values("-c"))
    options = zip(given.operands, given.operands[1:], strict=False)
    pairs = [word.begins.partition("=") for before, word in options if before.text == "-e" and word.text is not None]
    effects += tuple(SetVariable(name, value) for name, equals, value in pairs if equals)
    start = 0
    for end, word in enumerate((*given.operands, Word(";"))):
        if word.text == ";":
            effects += _tmux_command(given.operands[start:end])
            start = end + 1
    return effects


def _tmux_command(rest: tuple[Word, ...]) -> Effects:
    if not rest:
        return ()
    if rest[0].text in _TMUX_LATER:
        return _tmux_later(rest[1:])
    parsed = parse(rest[1:], _TMUX_TEXT)
    if rest[0].text in ("send-keys", "send"):
        keys = tuple(word for word in parsed.operands if word.text not in ("Enter", "C-m", "KPEnter"))
        return (RunScript(joined(keys), "sh", "tmux send-keys", lenient=True),) if keys else ()
    if rest[0].text not in _TMUX_RUNS or not parsed.operands:
        return ()
    if len(parsed.operands) == 1 or rest[0].text in ("if-shell", "if"):
        return tuple(RunScript(word.text, "sh", "tmux", lenient=True) for word in parsed.operands)
    return (Run(parsed.operands, "tmux"),)


def _tmux_later(words: tuple[Word, ...]) -> Effects:
    """The command of tmux's own behind a key, a hook or a question: as words, or as one text."""
    for index, word in enumerate(words):
        if word.text in _TMUX_RUNS:
            return _tmux_command(words[index:])
        verb, _, text = (word.text or "").strip().partition(" ")
        if verb in _TMUX_RUNS:
            return (RunScript(text.strip().strip("'\""), "sh", "tmux", lenient=True),)
    return ()


def screen(call: Call) -> Effects:
    """A command in a window, or text typed into one."""
    words = call.operands
    typed = next((i for i, word in enumerate(words) if word.text == "stuff"), None)
    if typed is not None:
        text = joined(words[typed + 1 :])
        return (RunScript(text and re.sub(r"\\[nr0-7]+|\^M", "\n", text), "sh", "screen", lenient=True),)
    operands = parse(words, Grammar(short="cehpsStTX")).operands
    return (Run(operands, "screen"),) if operands else ()


def machine(call: Call) -> Effects:
    """machinectl shell MACHINE command."""
    operands = parse(call.operands, Grammar(short="MHEpsnol", long=("uid", "setenv"))).operands
    shells = bool(operands) and operands[0].text in ("shell", "login")
    return (Run(operands[2:], "machinectl shell", elsewhere=True),) if shells and operands[2:] else ()


def many(call: Call) -> Effects:
    """pdsh, pssh, clush: the text for all of many machines."""
    words = parse(call.operands, Grammar(short="wxhHlptugfRmoeA")).operands
    return (RunScript(joined(words), "sh", call.name, elsewhere=True),) if words else ()


def option(call: Call) -> Effects:
    """vagrant ssh -c TEXT, gcloud compute ssh --command=TEXT."""
    parsed = parse(call.operands, Grammar(short="c", long=("command",), permute=True))
    texts = parsed.values("-c", "--command") if any(word.text == "ssh" for word in parsed.operands) else []
    return tuple(RunScript(word.text, "sh", f"{call.name} ssh", elsewhere=True) for word in texts)


REMOTE: dict[str, Meaning] = {
    "autossh": ssh,
    "clush": many,
    "docker": container,
    "gcloud": option,
    "incus": kubectl,
    "kubectl": kubectl,
    "lxc": kubectl,
    "machinectl": machine,
    "mosh": ssh,
    "nerdctl": container,
    "oc": kubectl,
    "parallel-ssh": many,
    "pdsh": many,
    "podman": container,
    "pssh": many,
    "rsh": ssh,
    "screen": screen,
    "slogin": ssh,
    "ssh": ssh,
    "tmux": tmux,
    "vagrant": option,
}
