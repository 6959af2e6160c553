"""Options of ordinary programs whose value is a command line, and variables whose value is one."""

from collections.abc import Iterator
from dataclasses import dataclass

from policy.reading.effect import Call, Effects, RunScript
from policy.reading.options import Grammar, parse


@dataclass(frozen=True, slots=True)
class CodeOptions:
    """names: the options; within: what must stand before the command in the value (exec= of tar's checkpoints)."""

    options: Grammar
    names: tuple[str, ...]
    within: tuple[str, ...] = ()


def _of(
    names: tuple[str, ...], short: str = "", within: tuple[str, ...] = (), *, single_dash: bool = False
) -> CodeOptions:
    long = tuple(name.lstrip("-") for name in names if name.startswith("--") or single_dash)
    letters = short + "".join(name[1] for name in names if len(name) == len("-x"))
    return CodeOptions(Grammar(letters, "", long, permute=True, single_dash=single_dash), names, within)


CODE_OPTIONS: dict[str, CodeOptions] = {
    "apt": _of(("-o", "--option"), within=("Invoke::=", "Invoke=")),
    "apt-get": _of(("-o", "--option"), within=("Invoke::=", "Invoke=")),
    "bsdtar": _of(("--use-compress-program",), "fC"),
    "entr": _of(("-s",)),
    "fzf": _of(("--preview", "--execute"), "qfnd"),
    "gcc": _of(("-wrapper",), single_dash=True),
    "go": _of(("-exec", "-toolexec"), single_dash=True),
    "man": _of(("-P", "--pager", "-H", "--html"), "CLmMSesE"),
    "nc": _of(("-e", "-c", "--exec", "--sh-exec"), "pswiXxqIOTGmMV"),
    "ncat": _of(("-e", "-c", "--exec", "--sh-exec", "--lua-exec"), "pswimdox"),
    "netcat": _of(("-e", "-c"), "pswiXxqIOTG"),
    "nodemon": _of(("-x", "--exec"), "wei"),
    "mariadb": _of(("-e", "--execute"), "hPuDS", ("system ", "\\!")),
    "mysql": _of(("-e", "--execute"), "hPuDS", ("system ", "\\!")),
    "psql": _of(("-c", "--command"), "dfvLohpUFPRT", ("\\!",)),
    "rg": _of(("--pre", "--hostname-bin"), "efgtTABCmMj"),
    "rsync": _of(("-e", "--rsh", "--rsync-path"), "fTB"),
    "scp": _of(("-S", "-o"), "cFiJlPDX", ("ProxyCommand=", "LocalCommand=", "KnownHostsCommand=")),
    "sftp": _of(("-S", "-o"), "BbcDFiJlPRsX", ("ProxyCommand=", "LocalCommand=", "KnownHostsCommand=")),
    "sort": _of(("--compress-program",), "kotST"),
    "split": _of(("--filter",), "abClnt"),
    "tar": _of(
        ("--to-command", "-I", "--use-compress-program", "-F", "--info-script", "--new-volume-script", "--rsh-command",
         "--checkpoint-action"),
        "fCTXbgHKLNV",
    ),
    "wget": _of(("--use-askpass",), "OPoaieUtTQwBlADRIX"),
    "zip": _of(("-TT", "--unzip-command"), single_dash=True),
}  # fmt: skip

# A program reads its command line from these when it needs a pager, an editor, a password, a transport.
CODE_VARIABLES = frozenset((
    "BROWSER", "CVS_RSH", "EDITOR", "FCEDIT", "GIT_ASKPASS", "GIT_EDITOR", "GIT_EXTERNAL_DIFF", "GIT_PAGER",
    "GIT_PROXY_COMMAND", "GIT_SEQUENCE_EDITOR", "GIT_SSH", "GIT_SSH_COMMAND", "LESSCLOSE", "LESSOPEN", "MANPAGER",
    "PAGER", "PROMPT_COMMAND", "RSYNC_RSH", "SSH_ASKPASS", "SUDO_ASKPASS", "SYSTEMD_EDITOR", "SYSTEMD_PAGER", "VISUAL",
))  # fmt: skip
PROMPT_VARIABLES = frozenset(("PS0", "PS1", "PS2", "PS4"))  # command substitutions in them run

_CHECKPOINT = "exec="


def run(call: Call, table: CodeOptions) -> Effects:
    parsed = parse(call.operands, table.options)
    return tuple(
        RunScript(text, "sh", f"{call.name} {name}", lenient=True)
        for name, word in parsed.options
        if word is not None and name in _written(name, table.names)
        for text in _texts(word.text, name, table)
    )


def _written(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The option as it was given, where it is one of these or the beginning of one."""
    return (name,) if name in names or any(len(name) > len("--x") and long.startswith(name) for long in names) else ()


def _texts(text: str | None, name: str, table: CodeOptions) -> Iterator[str | None]:
    if text is None:
        yield None
    elif name.startswith("--checkpoint"):
        yield from (text.partition(_CHECKPOINT)[2],) if _CHECKPOINT in text else ()
    elif table.within:
        yield from (text.partition(mark)[2] for mark in table.within if mark in text)
    else:
        yield text


def socat(call: Call) -> Effects:
    """socat's EXEC: and SYSTEM: addresses."""
    return tuple(
        RunScript(
            None if word.text is None else word.begins.partition(":")[2].partition(",")[0], "sh", "socat", lenient=True
        )
        for word in call.operands
        if word.begins.upper().startswith(("EXEC:", "SYSTEM:", "SHELL:"))
    )
