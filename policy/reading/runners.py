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
    "bundle": ((("exec",), Grammar()),),
    "conda": ((("run",), _CONDA),),
    "mamba": ((("run",), _CONDA),),
    "direnv": ((("exec",), Grammar()),),
    "doppler": ((("run",), Grammar(long=("project", "config", "token"))),),
    "dotenv": ((("run",), Grammar(short="f", long=("file",))),),
    "hatch": ((("run",), Grammar(short="e", long=("env",))),),
    "mise": ((("exec",), Grammar()),),
    "nix": ((("develop",), Grammar(short="c")),),
    "nix-shell": (((), Grammar(short="pAI", long=("run", "command"))),),
    "npm": ((("exec",), _NPM), (("x",), _NPM)),
    "npx": (((), _NPM),),
    "pdm": ((("run",), Grammar(short="p", long=("project",))),),
    "pipenv": ((("run",), Grammar()),),
    "pnpm": ((("exec",), _NPM), (("dlx",), _NPM)),
    "poetry": ((("run",), Grammar(short="CP", long=("directory", "project"))),),
    "rye": ((("run",), Grammar()),),
    "uv": ((("run",), _UV),),
    "yarn": ((("exec",), _NPM), (("dlx",), _NPM)),
}


def run(call: Call) -> Effects:
    """uv run, poetry run, npm exec: a command behind a sub-command."""
    for verbs, grammar in RUNNERS.get(call.name, ()):
        before = parse(call.operands, grammar)
        if tuple(word.text for word in before.operands[: len(verbs)]) == verbs:
            after = parse(before.operands[len(verbs) :], grammar)
            options = before.options + after.options
            texts = (word for name, word in options if word and name in ("-c", "--call", "--run", "--command"))
            words = assigned(after.operands)[0] if call.name == "dotenv" else after.operands
            run = (Run(words[1:] if call.name == "direnv" else words, " ".join((call.name, *verbs))),) if words else ()
            return (*(RunScript(word.text, "sh", f"{call.name} -c") for word in texts), *run)
    return ()
