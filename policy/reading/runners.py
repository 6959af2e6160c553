"""Project tools that run a command behind a sub-command: uv run, poetry run, npm exec."""

import re

from policy.reading.effect import Call, Effects, Run, RunScript, joined
from policy.reading.options import Grammar, parse
from policy.reading.piece import Word, static
from policy.reading.prefixes import assigned

_UV = Grammar(
    short="ptPwiC", long=("python", "with", "project", "directory", "extra", "group", "env-file", "index", "from")
)
_NPM = Grammar(short="pwc", long=("package", "workspace", "call", "prefix", "filter"))
_CONDA = Grammar(short="np", long=("name", "prefix", "cwd"))
RUNNERS: dict[str, tuple[tuple[tuple[str, ...], Grammar], ...]] = {
    "asdf": ((("exec",), Grammar()),),
    "aws-vault": ((("exec",), Grammar(short="dt", long=("duration", "region", "mfa-token"))),),
    "bun": ((("x",), Grammar(short="p", long=("package",))), (("exec",), Grammar())),
    "bundle": ((("exec",), Grammar()),),
    "bunx": (((), Grammar(short="p", long=("package",))),),
    "kitty": (((), Grammar(short="cdoT", long=("config", "directory", "override", "title"))),),
    "chamber": ((("exec",), Grammar()),),
    "cabal": ((("exec",), Grammar()),),
    "corepack": (((), Grammar()),),
    "conda": ((("run",), _CONDA),),
    "mamba": ((("run",), _CONDA),),
    "direnv": ((("exec",), Grammar()),),
    "doppler": ((("run",), Grammar(long=("project", "config", "token"))),),
    "dotenvx": ((("run",), Grammar(short="fe", long=("env-file", "env", "env-keys-file"))),),
    "dune": ((("exec",), Grammar(long=("root", "profile"))),),
    "fnm": ((("exec",), Grammar(long=("using",))),),
    "infisical": ((("run",), Grammar(long=("env", "path", "projectId", "command"))),),
    "dotenv": ((("run",), Grammar(short="f", long=("file",))),),
    "foreman": ((("run",), Grammar(short="ef", long=("env", "procfile"))),),
    "hatch": ((("run",), Grammar(short="e", long=("env",))),),
    "mise": ((("exec",), Grammar(short="C", long=("cd",))), (("x",), Grammar(short="C", long=("cd",)))),
    "nix": ((("develop",), Grammar()), (("shell",), Grammar())),
    "nix-shell": (((), Grammar(short="pAI", long=("run", "command"))),),
    "npm": ((("exec",), _NPM), (("x",), _NPM)),
    "npx": (((), _NPM),),
    "opam": ((("exec",), Grammar(long=("switch", "root"))),),
    "pixi": ((("run",), Grammar(short="e", long=("environment", "manifest-path"))),),
    "pdm": ((("run",), Grammar(short="p", long=("project",))),),
    "op": ((("run",), Grammar(long=("env-file", "account"))),),
    "pipenv": ((("run",), Grammar()),),
    "pipx": ((("run",), Grammar(long=("spec", "python", "pip-args"))),),
    "pyenv": ((("exec",), Grammar()),),
    "rbenv": ((("exec",), Grammar()),),
    "pnpm": ((("exec",), _NPM), (("dlx",), _NPM)),
    "poetry": ((("run",), Grammar(short="CP", long=("directory", "project"))),),
    "rustup": ((("run",), Grammar()),),
    "rye": ((("run",), Grammar()),),
    "stack": ((("exec",), Grammar(long=("package", "cwd", "resolver"))),),
    "tox": ((("exec",), Grammar(short="ec")),),
    "uv": ((("run",), _UV), (("tool", "run"), _UV)),
    "uvx": (((), _UV),),
    "volta": ((("run",), Grammar(long=("node", "npm", "pnpm", "yarn"))),),
    "yarn": (
        (("exec",), _NPM),
        (("dlx",), _NPM),
        (("workspace",), _NPM),
        (("workspaces", "foreach"), Grammar("j", "", ("include", "exclude", "from", "jobs"))),
    ),
}


_NAMED = {"aws-vault": 1, "chamber": 1, "direnv": 1, "rustup": 1}  # operands of their own before the command
_MARKED = frozenset(("mise", "tox"))  # the command stands behind two dashes, wherever these are
_VERSION = re.compile(r"(?<=.)@.*")


def run(call: Call) -> Effects:
    """uv run, poetry run, npm exec: a command behind a sub-command."""
    for verbs, grammar in RUNNERS.get(call.name, ()):
        before = parse(call.operands, grammar)
        if tuple(word.text for word in before.operands[: len(verbs)]) == verbs:
            after = parse(before.operands[len(verbs) :], grammar)
            options = before.options + after.options
            texts = (word for name, word in options if word and name in ("-c", "--call", "--run", "--command"))
            words = assigned(after.operands)[0] if call.name == "dotenv" else after.operands
            words = words[_NAMED.get(call.name, int(verbs == ("workspace",))) :]
            marks = [at for at, word in enumerate(words) if word.text == "--"] if call.name in _MARKED else []
            words = words[marks[0] + 1 :] if marks else words[1:] if words and words[0].text == "--" else words
            if verbs[:1] in (("workspace",), ("workspaces",)):  # yarn's own sub-command there
                words = (call.words[0], *words)
            run = _started(words, " ".join((call.name, *verbs)))
            return (*(RunScript(word.text, "sh", f"{call.name} -c") for word in texts), *run)
    return ()


def _started(words: tuple[Word, ...], via: str) -> Effects:
    """A first word with spaces in it is no program's name: yarn and bun read such a text as a shell does."""
    if words and " " in words[0].begins.strip():
        return (RunScript(joined(words), "sh", via, lenient=True),)
    return (Run(_unversioned(words), via),) if words else ()


def _unversioned(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """npm@10 publish is npm publish."""
    first = words[0]
    return words if first.text is None else (static(_VERSION.sub("", first.text)), *words[1:])
