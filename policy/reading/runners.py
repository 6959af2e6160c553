"""Project tools that run a command behind a sub-command: uv run, poetry run, npm exec."""

from policy.reading.effect import Call, Effects, Run, RunScript
from policy.reading.options import Grammar, parse
from policy.reading.prefixes import assigned

_UV = Grammar(
    short="ptPwiC", long=("python", "with", "project", "directory", "extra", "group", "env-file", "index", "from")
)
_NPM = Grammar(short="pwc", long=("package", "workspace", "call", "prefix", "filter"))
_CONDA = Grammar(short="np", long=("name", "prefix", "cwd"))
RUNNERS: dict[str, tuple[tuple[tuple[str, ...], Grammar], ...]] = {
    "asdf": ((("exec",), Grammar()),),
    "aws-vault": ((("exec",), Grammar(short="dt", long=("duration", "region", "mfa-token"))),),
    "bundle": ((("exec",), Grammar()),),
    "bunx": (((), Grammar(short="p", long=("package",))),),
    "chamber": ((("exec",), Grammar()),),
    "conda": ((("run",), _CONDA),),
    "mamba": ((("run",), _CONDA),),
    "direnv": ((("exec",), Grammar()),),
    "doppler": ((("run",), Grammar(long=("project", "config", "token"))),),
    "dotenv": ((("run",), Grammar(short="f", long=("file",))),),
    "foreman": ((("run",), Grammar(short="ef", long=("env", "procfile"))),),
    "hatch": ((("run",), Grammar(short="e", long=("env",))),),
    "mise": ((("exec",), Grammar()),),
    "nix": ((("develop",), Grammar()), (("shell",), Grammar())),
    "nix-shell": (((), Grammar(short="pAI", long=("run", "command"))),),
    "npm": ((("exec",), _NPM), (("x",), _NPM)),
    "npx": (((), _NPM),),
    "pdm": ((("run",), Grammar(short="p", long=("project",))),),
    "op": ((("run",), Grammar(long=("env-file", "account"))),),
    "pipenv": ((("run",), Grammar()),),
    "pipx": ((("run",), Grammar(long=("spec", "python", "pip-args"))),),
    "pyenv": ((("exec",), Grammar()),),
    "rbenv": ((("exec",), Grammar()),),
    "pnpm": ((("exec",), _NPM), (("dlx",), _NPM)),
    "poetry": ((("run",), Grammar(short="CP", long=("directory", "project"))),),
    "rye": ((("run",), Grammar()),),
    "uv": ((("run",), _UV),),
    "uvx": (((), _UV),),
    "yarn": ((("exec",), _NPM), (("dlx",), _NPM)),
}


_NAMED = {"aws-vault": 1, "chamber": 1, "direnv": 1}  # operands of their own before the command


def run(call: Call) -> Effects:
    """uv run, poetry run, npm exec: a command behind a sub-command."""
    for verbs, grammar in RUNNERS.get(call.name, ()):
        before = parse(call.operands, grammar)
        if tuple(word.text for word in before.operands[: len(verbs)]) == verbs:
            after = parse(before.operands[len(verbs) :], grammar)
            options = before.options + after.options
            texts = (word for name, word in options if word and name in ("-c", "--call", "--run", "--command"))
            words = assigned(after.operands)[0] if call.name == "dotenv" else after.operands
            words = words[_NAMED.get(call.name, 0) :]
            words = words[1:] if words and words[0].text == "--" else words
            run = (Run(words, " ".join((call.name, *verbs))),) if words else ()
            return (*(RunScript(word.text, "sh", f"{call.name} -c") for word in texts), *run)
    return ()
