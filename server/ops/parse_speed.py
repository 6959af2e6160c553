"""How long it takes from a command's text to the facts in it: the parser's process and our walk over its tree."""

import time
from dataclasses import dataclass

import anyio

from server.judge.shfmt import ShellParser

TARGET_MS = 1.0
PACE_S = 0.02  # an agent's commands do not come back to back: parsers are started between them
COMMANDS = (
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


@dataclass(frozen=True, slots=True)
class ParseSpeed:
    """Milliseconds for one command of one text; `met` is whether p50 is within the target."""

    p50_ms: float
    p99_ms: float
    target_ms: float
    met: bool


async def parse_speed(calls: int) -> ParseSpeed:
    """Reads each command in turn, `calls` readings in all (at least one of each)."""
    times = list[float]()
    async with ShellParser() as parser:
        for number in range(len(COMMANDS) + max(calls, len(COMMANDS))):
            await anyio.sleep(PACE_S)
            began = time.perf_counter()
            await parser.read_script(COMMANDS[number % len(COMMANDS)], "/workspace", "/home/agent", ("/workspace",))
            times += [(time.perf_counter() - began) * 1000] if number >= len(COMMANDS) else []
    times.sort()
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    return ParseSpeed(round(p50, 3), round(p99, 3), TARGET_MS, p50 <= TARGET_MS)
