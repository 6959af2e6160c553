"""The bench's judge: how long a decision takes, and a command's text to the facts in it."""

import itertools
import json
import subprocess  # noqa: TID251  # the parser started anew for each text is what ours is compared with
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from policy.path import uses
from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from server.asks import BASH
from server.judge.engine import Engine
from server.judge.shfmt import ShellParser, locate
from server.ops.measures.rig import Measure, Rig, in_thread
from server.ops.measures.row import Row, Target
from server.wiring.judges import judging

PACE_S: Final = 0.02  # an agent's commands do not come back to back: parsers are started between them
HOME: Final = "/home/agent"
SPACES: Final = ("/workspace",)
COMMANDS: Final = (
    "git status --short",
    "cd src && python -m pytest -q tests 2>&1 | tail -5",
    "grep -rn TODO src --include='*.py' | sort -u > todo.txt",
    "find . -name '*.pyc' -exec rm -f {} +",
    'OUT=build/report; mkdir -p "$OUT" && make -C docs html BUILDDIR="$OUT"',
    'for f in a.py b.py; do python -m py_compile "$f" || exit 1; done',
    "cat > config.ini <<'EOF'\n[main]\nname = demo\nEOF",
    "sed -i 's/foo/bar/g' src/config.py && git diff --stat",
    'if [ -f package.json ]; then npm ci && npm test; else echo "no package" >&2; fi',
    "curl -fsSL https://example.com/data.json | jq -r '.items[].name'",
    "python3 - <<'EOF'\nimport sys\nprint(sys.version)\nEOF",
    "tar -czf dist.tgz dist && sha256sum dist.tgz",
)


async def _decision(rig: Rig) -> list[Row]:
    """Our rules and the operator's settings, over the same engine with one rule that is always true."""
    async with ShellParser() as parser, judging(rig.settings) as judge:
        questions = _never_asked([await _question(parser, text) for text in COMMANDS])
        texts = itertools.cycle([json.dumps((await _question(parser, text)).as_input()) for text in COMMANDS])
        trivial = Engine({"bench.rego": "package bench\n\nimport rego.v1\n\nanswer := true\n"}, ())

        async def always() -> None:
            trivial.evaluate(next(texts), "data.bench.answer")

        times = await rig.by_turns(lambda: judge.decide(next(questions)), always, 4 * rig.scale.calls, len(COMMANDS))
    what = "policy decision, over one rule that is always true"
    return list(times.rows("decision", what, Target(0.5), Target(3)))


def _never_asked(questions: Sequence[Question]) -> Iterator[Question]:
    """Each time of another session: what was asked before is remembered."""
    for number, question in enumerate(itertools.cycle(questions)):
        yield replace(question, session=replace(question.session, name=f"s{number}"))


async def _question(parser: ShellParser, text: str) -> Question:
    reading = await parser.read_script(text, SPACES[0], HOME, SPACES)
    act = RunCommand((*BASH, text), SPACES[0], b"", 300, background=False)
    about = SessionFacts("default", "python", HOME, SPACES)
    asked = {"command": text}
    return Question(CallerFacts("local", ("user",)), "shell", about, act, asked, reading, uses(reading, HOME, SPACES))


async def _parse(rig: Rig) -> list[Row]:
    texts = itertools.cycle(COMMANDS)
    async with ShellParser() as parser:
        anew = in_thread(_parsed_anew, locate(), COMMANDS[1])
        times = await rig.by_turns(
            lambda: parser.read_script(next(texts), SPACES[0], HOME, SPACES),
            anew,
            turn=len(COMMANDS),
            rest_s=PACE_S,
        )
    return list(times.rows("parse", "a command's text to the facts in it, over a parser started for it", Target(1)))


def _parsed_anew(program: str, text: str) -> None:
    argv = [program, "-ln", "bash", "--to-json"]
    subprocess.run(argv, input=text.encode(), stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own parser


MEASURES: Final = (Measure("decision", 3, _decision), Measure("parse", 5, _parse))
