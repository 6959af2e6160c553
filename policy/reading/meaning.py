"""Which tables speak about a command: one question, asked once for every command found."""

from policy.reading import code_options, databases, env, git, prefixes, runners, sed, shells, unlisted
from policy.reading.builtins import BUILTINS
from policy.reading.code_options import CODE_OPTIONS
from policy.reading.effect import Call, Effects, Meaning
from policy.reading.launchers import LAUNCHERS
from policy.reading.prefixes import PREFIXES
from policy.reading.remote import REMOTE
from policy.reading.runners import RUNNERS
from policy.reading.shells import BASH_LIKE, INTERPRETERS, OTHER_SHELLS

_OWN: dict[str, Meaning] = (
    BUILTINS
    | LAUNCHERS
    | REMOTE
    | {"env": env.run, "git": git.run, "sed": sed.run, "gsed": sed.run, "socat": code_options.socat}
    | {"make": shells.make, "gmake": shells.make, "sqlite3": databases.dots, "duckdb": databases.dots}
    | dict.fromkeys(BASH_LIKE | OTHER_SHELLS, shells.shell)
)


_KNOWN = _OWN.keys() | PREFIXES.keys() | CODE_OPTIONS.keys() | INTERPRETERS.keys()


def effects(call: Call) -> Effects:
    """Everything that running this command leads to."""
    found: Effects = _OWN[call.name](call) if call.name in _OWN else ()
    if prefix := PREFIXES.get(call.name) or prefixes.loader(call.name):
        found += prefixes.run(call, prefix)
    if call.name.startswith("git-"):
        found += git.program(call)
    if call.name in RUNNERS:
        found += runners.run(call)
    if call.name in CODE_OPTIONS:
        found += code_options.run(call, CODE_OPTIONS[call.name])
    found += _interpreted(call)
    return (*found, *unlisted.beside(call, found)) if found or call.name in _KNOWN else unlisted.run(call)


def _interpreted(call: Call) -> Effects:
    table = INTERPRETERS.get(call.name) or INTERPRETERS.get(shells.family(call.name))
    return shells.interpreter(call, table, call.name) if table else ()
