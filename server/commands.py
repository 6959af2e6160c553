"""Every command of `sandgate` with its words.

What a command does is named as `module:function` and imported when it runs: `serve` starts quickly, `--help` at once.
"""

import argparse
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import Any

from server.manual import epilog
from server.words import Version, Words, address, count, days, word

WIDE = 79  # columns of help
NAMED = ("sessions", "held", "snapshots", "approvals", "allowed", "tokens")
GROUPS = "shell, jobs, files, sessions, policy"
CLIENTS = (
    "claude-code", "claude-desktop", "cline", "codex", "continue", "copilot-cli", "crush", "cursor", "gemini-cli",
    "goose", "junie", "librechat", "opencode", "qwen-code", "roo-code", "vscode", "windsurf", "zed",
)  # fmt: skip
NOT_HELD = (
    "it is good only while the files that the call names hold what they hold now, also those that make, npm, pytest, git "
    "and the like read unasked, and what its variables and options lead to; not covered is what such a file runs in turn"
)


def command_parser() -> argparse.ArgumentParser:
    outermost = Words(prog="sandgate", description="A shell and files for AI agents that their owner can trust.")
    outermost.add_argument("--version", action=Version, nargs=0, help="show program's version number and exit")
    commands = outermost.add_subparsers(metavar="COMMAND", required=True)
    _serve_words(commands)
    _add(commands, "demo", "see a session at work: commands, a refusal, two flows, the record of all", "demo:demo")
    doctor = _add(
        commands,
        "doctor",
        "try what this machine can hold a sandbox to, and say how to mend what it lacks",
        "doctor:doctor",
    )
    doctor.add_argument("--json", action="store_true", help="for programs")
    _init_words(commands)
    allow = _add(
        commands,
        "allow",
        'allow one host (example.com, *.example.com) or command ("git push") from now on',
        "allow:allow",
    )
    allow.add_argument("what", help="a host, preset:pip (npm, uv, apt, go), or a command by name and sub-command")
    _install_words(commands)
    _copy_words(commands)
    _image_words(commands)
    _session_words(commands)
    _snapshot_words(commands)
    _engine_words(commands)
    _policy_words(commands)
    _audit_words(commands)
    _token_words(commands)
    _approval_words(commands)
    page = _add(commands, "page", "a link that opens the page of a running server in a browser", "page:link")
    _configured(page)
    _bench_words(commands)
    completion = _add(commands, "completion", "what your shell completes, as a script for it", "completion:completion")
    completion.add_argument("shell", nargs="?", choices=("bash", "zsh", "fish"), help="yours")
    completion.add_argument("--names", choices=NAMED, help=argparse.SUPPRESS)  # what its scripts ask for
    completion.set_defaults(root=outermost)
    return outermost


def _add(commands: Any, name: str, words: str, work: str) -> argparse.ArgumentParser:
    wide = min(WIDE, get_terminal_size().columns - 2)
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=fill(words, wide))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter  # an epilog is laid out already
    parser.epilog = epilog(parser.prog.removeprefix("sandgate "), wide)
    parser.set_defaults(work=work, words=parser)
    return parser


def _bench_words(commands: Any) -> None:
    bench = _add(
        commands, "bench", "measure the speeds we promise, as ratios in one run, in six minutes", "bench:bench"
    )
    bench.add_argument("--quick", action="store_true", help="in less than a minute, less surely")
    bench.add_argument(
        "--only", action="append", metavar="ID", help="exec, shell, parse or another row; more than once"
    )
    bench.add_argument("--calls", type=count, metavar="N", help="at most that many calls of each kind")
    bench.add_argument("--json", action="store_true", help="for programs")
    bench.add_argument("--compare", type=Path, metavar="FILE", help="what --json printed before: mark what got worse")
    bench.add_argument("--readme", type=Path, metavar="FILE", help="renew its table, and bench.json beside it")


def _list(commands: Any, name: str, words: str, work: str) -> argparse.ArgumentParser:
    listing = _add(commands, name, words, work)
    listing.add_argument("--json", action="store_true", help="for programs")
    return listing


def _configured(*parsers: argparse.ArgumentParser) -> None:
    for parser in parsers:
        parser.add_argument("--config", type=Path, metavar="FILE", help="settings that the server was started with")


def _group(commands: Any, name: str, words: str) -> Any:
    return commands.add_parser(name, help=words, description=words).add_subparsers(metavar="COMMAND", required=True)


def _serve_words(commands: Any) -> None:
    serve = _add(commands, "serve", "serve MCP on standard input and output, or over HTTP", "run:serve")
    transport = serve.add_mutually_exclusive_group(required=True)
    transport.add_argument("--stdio", action="store_true", help="for one client, which starts the server itself")
    transport.add_argument(
        "--http",
        type=address,
        metavar="HOST:PORT",
        help="for many, with a token each: /mcp, and /sse for older clients",
    )
    serve.add_argument("--config", type=Path, metavar="FILE", help="a sandgate.toml beside the user's own")
    serve.add_argument(
        "--workspace",
        action="append",
        default=[],
        metavar="DIR[:rw|ro]",
        help="copy a folder of yours into each sandbox, or lend it as it is (may be repeated)",
    )
    serve.add_argument("--allow-root-owned", action="store_true", help="lend folders of root's too")
    serve.add_argument("--environment", metavar="NAME", help="what sandboxes are made of (default python)")
    serve.add_argument("--tools", metavar="GROUPS", help=f"some of {GROUPS}")


def _init_words(commands: Any) -> None:
    init = _add(commands, "init", "write a commented settings file; at a terminal it asks three questions", "init:init")
    init.add_argument("--profile", choices=("open", "standard", "strict"), help="how commands are judged (standard)")
    init.add_argument("--workspace", metavar="DIR[:rw|ro]", help="a folder of yours, in each sandbox")
    init.add_argument(
        "--allow", action="append", default=[], metavar="HOST", help="or preset:pip, npm, ... (may be repeated)"
    )
    init.add_argument("--yes", action="store_true", help="ask nothing; what no option says is the default")
    init.add_argument("--print", action="store_true", help="show it, write nothing")


def _approval_words(commands: Any) -> None:
    approvals = _group(commands, "approvals", "what agents may only do with a person's yes")
    _list(
        approvals,
        "list",
        "what waits, each call shown whole, and what is allowed until it is taken back",
        "approvals:listed",
    )
    allow = _add(approvals, "allow", f"say yes to one, for once; {NOT_HELD}", "approvals:allow")
    allow.add_argument("id", help="as the list and the agent's answer name it")
    often = allow.add_mutually_exclusive_group()
    often.add_argument("--session", action="store_true", help="as often as its session makes the same call")
    often.add_argument("--minutes", type=count, metavar="N", help="as often as the same call is made in that time")
    revoke = _add(approvals, "revoke", "take back a yes that is good again and again", "approvals:revoke")
    revoke.add_argument("id", help="as the list names it")
    deny = _add(approvals, "deny", "say no to one", "approvals:deny")
    deny.add_argument("id", help="as the list and the agent's answer name it")
    _configured(*approvals.choices.values())


def _token_words(commands: Any) -> None:
    token = _group(commands, "token", "who may call over HTTP with a token of their own")
    new = _add(token, "new", "make a token and show it once; an older one of that name is no longer good", "tokens:new")
    new.add_argument("name", help="whom it stands for")
    new.add_argument(
        "--role", action="append", type=word, default=[], metavar="ROLE", help="what the policy knows them as (user)"
    )
    new.add_argument("--days", type=count, metavar="N", help="how long it is good (default: until it is revoked)")
    _list(token, "list", "names, roles, ends", "tokens:listed")
    revoke = _add(token, "revoke", "no longer accept it; servers that run take that up by themselves", "tokens:revoke")
    revoke.add_argument("name", help="whom it stood for")


def _install_words(commands: Any) -> None:
    for name, words, work in (
        ("install", "add Sandgate to a client's configuration", "installing:install"),
        ("uninstall", "take Sandgate out of a client's configuration again", "installing:uninstall"),
    ):
        parser = _add(commands, name, words, work)
        parser.add_argument("client", choices=CLIENTS, metavar="CLIENT", help=", ".join(CLIENTS))
        parser.add_argument("--print", action="store_true", help="show what would be written and where")
        parser.add_argument(
            "--project", type=Path, metavar="DIR", help="for one project only, where the client has that"
        )
        parser.add_argument("--force", action="store_true", help="also where another server has the name sandgate")
    commands.choices["install"].add_argument(
        "--container", action="store_true", help="the server as a container, where the engine has a kernel of its own"
    )
    commands.choices["install"].add_argument(
        "serve_arguments", nargs="*", metavar="ARG", help="what follows `serve --stdio`; put -- before it"
    )


def _copy_words(commands: Any) -> None:
    diff = _add(commands, "diff", "what a session changed in its copy of your folder, as a patch", "copied:diff")
    apply = _add(commands, "apply", "bring a session's changes back to your folder", "copied:apply_changes")
    for parser in (diff, apply):
        parser.add_argument("session", help="a session of a running server, by name or id")
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="GLOB",
            help="these paths alone (may be repeated): src/**, *.py; also lets through what is held back and named so",
        )
    apply.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    apply.add_argument(
        "--skip-conflicts", action="store_true", help="leave as it is what changed on the host as well, apply the rest"
    )
    cp = _add(commands, "cp", "copy one file into a session or out of it", "cp:cp")
    cp.add_argument("source", metavar="FILE|SESSION:PATH", help="from here, or from a session of a running server")
    cp.add_argument("target", metavar="FILE|SESSION:PATH", help="to there; a folder keeps the file's own name")
    _configured(diff, apply, cp)


def _image_words(commands: Any) -> None:
    images = _group(commands, "images", "the images sandboxes are made from")
    build = _add(images, "build", "build what is missing or outdated", "images:build_wanted")
    build.add_argument(
        "images", nargs="*", metavar="IMAGE", help="which; default: base, python, and what was built before"
    )
    build.add_argument("--ca-bundle", type=Path, metavar="FILE", help="certificates of a network that intercepts TLS")
    build.add_argument("--force", action="store_true", help="build all anew")
    _list(images, "list", "what there is, prepared environments among it", "images:listed")
    prune = _add(images, "prune", "remove prepared environments that no session uses, and leftovers", "snapshots:prune")
    prune.add_argument("--unused-for", type=days, default=0.0, metavar="DAYS", help="only those (default 0: all)")
    _configured(*images.choices.values())


def _session_words(commands: Any) -> None:
    sessions = _group(commands, "sessions", "what running servers have open")
    listing = _list(sessions, "list", "all of them, with their owners and what runs", "sessions:listed")
    close = _add(sessions, "close", "end one, whatever runs in it; its files are gone", "sessions:close")
    close.add_argument("session", help="by name or id")
    release = _add(sessions, "release", "let one go on in which something unusual happened", "sessions:release")
    release.add_argument("session", help="by name")
    release.add_argument("--owner", help="whose, where several callers have one of that name")
    _configured(listing, close, release)


def _snapshot_words(commands: Any) -> None:
    snapshots = _group(commands, "snapshots", "files of sessions that agents have kept")
    _list(snapshots, "list", "all of them, with their owners and sizes", "snapshots:listing")
    delete = _add(snapshots, "delete", "delete some of them", "snapshots:delete")
    delete.add_argument("names", nargs="+", metavar="NAME", help="as the list names them")
    delete.add_argument("--owner", help="whose, where several callers have one of that name")
    _configured(*snapshots.choices.values())


def _engine_words(commands: Any) -> None:
    engine = _group(commands, "engine", "the Docker engine that runs sandboxes")
    _add(
        engine,
        "ensure",
        "use the engine that answers, or (as root on Debian) start a private one",
        "engine:ensure",
    )
    _list(engine, "status", "which engine is used", "engine:status")
    _add(engine, "stop", "end the private engine, never another", "engine:stop")
    _configured(*engine.choices.values())


def _policy_words(commands: Any) -> None:
    policy = _group(commands, "policy", "what may run")
    check = _add(policy, "check", "what the policy says of a command; nothing runs", "policy:check")
    check.add_argument("command", nargs="?", help="a shell command")
    check.add_argument(
        "--jsonl",
        action="store_true",
        help='one {"command": ..., "cwd"?: ...} per line of input, one decision per line',
    )
    check.add_argument("--json", action="store_true", help="for programs")
    explain = _add(policy, "explain", "which rule, which line, what holds it, what would be allowed", "policy:explain")
    explain.add_argument("command", nargs="?", help="a shell command")
    for parser in (check, explain):
        parser.add_argument(
            "--host", metavar="HOST[:PORT]", help="or a host that a request goes to; port 443 if none is said"
        )
        parser.add_argument("--method", help="of that request; nothing: any")
        parser.add_argument("--path", help="of that request, without its query; nothing: any")
    tests = _add(policy, "test", "run the rules' own tests", "policy:test")
    tests.add_argument("--coverage", action="store_true", help="say which lines of the rules none of them reaches")
    export = _add(policy, "export", "write the policy as a bundle for an OPA server", "policy:export")
    export.add_argument(
        "out", nargs="?", type=Path, default=Path("bundle.tar.gz"), metavar="FILE", help="default bundle.tar.gz"
    )
    learn = _list(
        policy, "learn", "what recent questions and refusals would have needed; changes nothing", "learn:learn"
    )
    learn.add_argument("--file", type=Path, help="another audit file")
    _configured(learn)
    for parser in (check, explain, export):
        parser.add_argument("--config", type=Path, metavar="FILE", help="a sandgate.toml beside the user's own")


def _audit_words(commands: Any) -> None:
    audit = _group(commands, "audit", "what happened")
    verify = _list(audit, "verify", "walk the chain from the first line to the last", "audit:verify")
    verify.add_argument(
        "--anchor", metavar="FILE|HASH", help="what `audit head` printed, or lines that were sent elsewhere"
    )
    _list(
        audit,
        "head",
        "where the chain stands: number, hash and time of its last line, to be kept elsewhere",
        "audit:head",
    )
    tail = _list(audit, "tail", "the newest lines; at a terminal as much of each as fits", "audit:tail")
    tail.add_argument("-n", type=count, default=20, metavar="LINES", help="how many (default 20)")
    show = _list(audit, "show", "everything under one decision", "audit:show")
    show.add_argument("decision", help="as printed with a refusal, such as d-0123456789abcdef")
    for parser in audit.choices.values():
        parser.add_argument("--file", type=Path, help="another audit file")
    _configured(*audit.choices.values())
