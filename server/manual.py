"""What `--help` says below the options: examples, files, exit codes. Plain data, so that help needs no other module."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill
from typing import Final

_IN: Final = " " * 6
_SETTINGS: Final = ("~/.config/sandgate/sandgate.toml", "yours; /etc/sandgate has the machine's")
_AUDIT: Final = ("~/.local/state/sandgate/audit/", "every call and flow, a chain of lines")
_STATE: Final = ("~/.local/state/sandgate/sandgate.db", "sessions, snapshots, questions")
_CODES: Final = ("0", "it did what it says"), ("1", "it did not; standard error says why"), ("2", "not understood")


@dataclass(frozen=True, slots=True)
class Manual:
    """`examples`: what to type after `sandgate`, each with what it is for. `codes`: instead of the usual ones."""

    examples: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...] = ()
    codes: tuple[tuple[str, str], ...] = _CODES

    def text(self, wide: int) -> str:
        """In lines of so many columns; what is to be typed stands on one line."""
        told = (fill(what, wide, initial_indent=_IN, subsequent_indent=_IN) for _, what in self.examples)
        typed = "\n".join(f"  sandgate {line}\n{what}" for (line, _), what in zip(self.examples, told, strict=True))
        parts = [f"examples:\n{typed}", _table("files", self.files, wide), _table("exit codes", self.codes, wide)]
        return "\n\n".join(part for part in parts if part)


def _table(name: str, rows: tuple[tuple[str, str], ...], wide: int) -> str:
    longest = max((len(left) for left, _ in rows), default=0)
    lines = (fill(f"  {left:{longest}}  {right}", wide, subsequent_indent=" " * (longest + 4)) for left, right in rows)
    return "\n".join([f"{name}:", *lines]) if rows else ""


def epilog(command: str, wide: int) -> str | None:
    """By the command's words, `policy check`; None for one that has no page yet."""
    found = MANUALS.get(command)
    return found.text(wide) if found else None


MANUALS: Final[Mapping[str, Manual]] = {
    "serve": Manual(
        (
            ("serve --stdio", "for one client, which starts it (`sandgate install` writes that down)"),
            ("serve --stdio --workspace ~/project --tools shell,jobs", "each sandbox has a copy of that folder"),
            ("serve --http 127.0.0.1:8765", "for many clients, with a token each (`sandgate token new`)"),
        ),
        (_SETTINGS, _AUDIT, _STATE),
        (("0", "the client left, or the server was told to end"), *_CODES[1:]),
    ),
    "demo": Manual(
        (("demo", "fifteen seconds; works on a copy of a small project"),),
        (_AUDIT,),
        (("0", "every answer was the expected one"), ("1", "one was not, or there is no engine"), _CODES[2]),
    ),
    "doctor": Manual(
        (("doctor", "about ten seconds; each weakness with its remedy"), ("doctor --json", "the same for a program")),
        (_SETTINGS,),
        (("0", "all promises hold here, if with weaknesses"), ("1", "something failed"), _CODES[2]),
    ),
    "init": Manual(
        (
            ("init", "asks for a profile, a folder and hosts"),
            ("init --yes", "asks nothing: every line a default"),
            ("init --profile strict --workspace ~/project --allow preset:pip", "asks only what is left"),
        ),
        (_SETTINGS,),
    ),
    "allow": Manual(
        (
            ("allow docs.example.com", "one host; *.example.com is every name below it"),
            ("allow preset:pip", "what this machine's own pip downloads from"),
            ('allow "git push"', "a command that would otherwise be asked about"),
        ),
        (_SETTINGS,),
    ),
    "install": Manual(
        (
            ("install claude-code", "for you, in every project"),
            ("install cursor --project . --print", "what would be written for those who work here"),
            ("install zed -- --workspace ~/project", "what follows -- goes to `serve --stdio`"),
            ("install claude-desktop --container", "by `docker run` of the image that examples/compose builds"),
        ),
        (("FILE.sandgate-TIME-ID.bak", "beside the client's file: what it held before"),),
    ),
    "uninstall": Manual((("uninstall cursor", "as it was; what you changed since stays"),)),
    "diff": Manual((("diff default", "as a patch"), ("diff default --only 'src/**'", "a part of it"))),
    "apply": Manual(
        (
            ("apply default --dry-run", "only says what would be done"),
            ("apply default --skip-conflicts", "leaves what you changed meanwhile"),
        )
    ),
    "cp": Manual((("cp default:/tmp/plot.png .", "out of a session"), ("cp data.csv default:/workspace/", "into one"))),
    "images build": Manual(
        (
            ("images build", "base, agent, python; at once where they are current"),
            ("images build node", "one more"),
            ("images build --force", "with the packages of today"),
        )
    ),
    "images list": Manual((("images list", "state and size of each"),)),
    "images prune": Manual((("images prune --unused-for 7", "prepared environments that nobody used for a week"),)),
    "snapshots list": Manual((("snapshots list --json", "for programs"),), (_STATE,)),
    "snapshots delete": Manual((("snapshots delete green --owner ann", "ann's, where others have one of that name"),)),
    "engine ensure": Manual(
        (("engine ensure", "the Docker that answers; else, as root on Debian, a private one"),),
        (("~/.local/state/sandgate/engine/", "all that a private one has"),),
    ),
    "engine status": Manual(
        (("engine status", "which one, and where"),), (), (("0", "one answers"), ("1", "none does"), _CODES[2])
    ),
    "engine stop": Manual((("engine stop", "the private one; never yours"),)),
    "policy check": Manual(
        (
            ("policy check 'rm -rf build'", "allow, ask or deny, with rule and reason"),
            ("policy check --jsonl", "one object a line from standard input"),
        ),
        (_SETTINGS,),
        (("0", "allowed, or an answer for each line"), ("1", "asked about, denied, or it failed"), _CODES[2]),
    ),
    "policy explain": Manual((("policy explain 'curl https://x.example | sh'", "every rule that speaks, and where"),)),
    "policy test": Manual(
        (("policy test --coverage", "and which lines of the rules none reaches"),),
        (),
        (("0", "all pass"), ("1", "one fails"), _CODES[2]),
    ),
    "policy export": Manual((("policy export bundle.tar.gz", "then: opa run --server --bundle bundle.tar.gz"),)),
    "policy learn": Manual((("policy learn", "what to allow so that what was refused lately would pass"),), (_AUDIT,)),
    "audit verify": Manual(
        (("audit verify", "the whole chain"),), (_AUDIT,), (("0", "whole"), ("1", "broken, with the line"), _CODES[2])
    ),
    "audit head": Manual((("audit head", "keep it elsewhere: `audit verify` can compare"),), (_AUDIT,)),
    "audit tail": Manual((("audit tail -n 50", "the newest fifty"),), (_AUDIT,)),
    "audit show": Manual((("audit show d-0123456789abcdef", "call, rules, flows and end"),), (_AUDIT,)),
    "sessions list": Manual((("sessions list", "of every caller, with what runs in them"),), (_STATE,)),
    "sessions close": Manual((("sessions close default", "its sandbox and its files are gone"),)),
    "sessions release": Manual((("sessions release work --owner ann", "after you have seen why it was held"),)),
    "token new": Manual((("token new ann --role admin --days 90", "shown once; kept as a hash"),), (_SETTINGS,)),
    "token list": Manual((("token list", "never the tokens themselves"),)),
    "token revoke": Manual((("token revoke ann", "within a second, in running servers too"),)),
    "approvals list": Manual((("approvals list", "each call whole, with its id"),), (_STATE,)),
    "approvals allow": Manual(
        (("approvals allow a-1f2e", "once"), ("approvals allow a-1f2e --minutes 10", "for a time"))
    ),
    "approvals revoke": Manual((("approvals revoke a-1f2e", "takes a yes back"),)),
    "approvals deny": Manual((("approvals deny a-1f2e", "the agent reads that a person said no"),)),
    "page": Manual((("page", "a link that is good once"),)),
    "bench": Manual((("bench --quick", "every row in a minute"), ("bench --json", "keep it for --compare"))),
    "completion": Manual(
        (
            ("completion bash", "put it into ~/.local/share/bash-completion/completions/sandgate"),
            ("completion zsh", "as _sandgate in a folder of your fpath"),
            ("completion fish", "put it into ~/.config/fish/completions/sandgate.fish"),
        )
    ),
}
