"""What the bench found, for people: a table, what got worse since another run, and the README's own table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from server.ops.measures.row import HIGHER_IS_BETTER, KEYS, Row

FORMAT: Final = 1
BEGIN: Final = "<!-- the bench writes this table: sandgate bench --readme README.md -->"
END: Final = "<!-- until here -->"
FIGURES: Final = "bench.json"
DISPENSABLE: Final = ("what", "baseline", "p99")  # columns of the table, the first first; an id says it in short
_LEAST_CHANGE: Final = 0.1  # smaller ones are nobody's business, however sure
_QUIET: Final = 0.25  # of each CPU, taken by others
# What is not met, and what would be done next. Only shown while it is not met.
NEXT_STEPS: Final[Mapping[str, str]] = {
    "exec": "what is left is the program's own start and six changes of process; next: the agent hands the plan on unread",
    "shell": "each call pays for bash and the SDK, a new text for its decision; next: the engine's share of that",
    "decision": "150 lines of Rego are interpreted, a third on the types in the question; next: a compiled engine that is right",
    "parse": "a text of more than plain words has a process to itself; next: a build of it that writes less than the whole tree",
    "cold": "the agent's interpreter takes 20 ms, most for modules; next: fewer of them before it greets",
    "start": "three quarters is the import of the SDK, which makes its models anew each time; next: docker's client late",
    "start.shell": "half is the import of the SDK; next: the rules are tried meanwhile, in a process of their own",
}


class BadFigures(Exception):
    """A file that should be an earlier `sandgate bench --json` is none."""


def readable(file: Path) -> str:
    """Raises BadFigures before anything is measured for it."""
    try:
        return file.read_text()
    except OSError as exc:
        raise BadFigures(f"{file} cannot be read: {exc.strerror}") from exc


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: the machine, and its rows."""

    machine: Mapping[str, str]
    rows: Sequence[Row]

    def as_json(self) -> str:
        found = {
            "format": FORMAT,
            "machine": dict(self.machine),
            "rows": [row.as_json() for row in self.rows],
            "noise": {row.id: row.noise for row in self.rows},
        }
        return json.dumps(found, indent=2) + "\n"

    @classmethod
    def read(cls, file: Path) -> "Figures":
        """Raises BadFigures."""
        try:
            found = json.loads(readable(file))
            rows = [_row(entry, found["noise"]) for entry in found["rows"]]
            return cls(found["machine"], rows)
        except (ValueError, KeyError, TypeError) as exc:
            raise BadFigures(f"{file} does not hold what `sandgate bench --json` prints: {exc}") from exc


def _row(entry: Mapping[str, Any], noise: Mapping[str, float]) -> Row:
    return Row(**{key: entry[key] for key in KEYS}, noise=noise[entry["id"]])


# --- since another run -------------------------------------------------------------------------------------------------


def change(now: Row, then: Row) -> float:
    """By which fraction it got worse; negative where it got better. Ratios where there are some: machines differ."""
    both = now.ratio is not None and then.ratio
    new, old = (now.ratio, then.ratio) if both else (now.value, then.value)
    if not old or new is None:
        return 0.0
    return (old - new) / old if now.unit in HIGHER_IS_BETTER else (new - old) / old


def is_worse(now: Row, then: Row) -> bool:
    """Beyond what chance does between two runs."""
    return change(now, then) > max(_LEAST_CHANGE, now.noise + then.noise)


# --- a table for people ------------------------------------------------------------------------------------------------


def table(figures: Figures, before: Figures | None) -> Table:
    """A line for each row, what it is last. DISPENSABLE gives way on a narrow terminal."""
    earlier = {row.id: row for row in before.rows} if before else {}
    slowest = {row.id.removesuffix(".p99"): row for row in figures.rows if row.id.endswith(".p99")}
    middle = {row.id for row in figures.rows}
    rows = [
        [*_cells(row, slowest.get(row.id)), *([_since(row, earlier.get(row.id))] if before else [])]
        for row in figures.rows
        if row.target or not (row.id.endswith(".p99") and row.id.removesuffix(".p99") in middle)
    ]
    titles = ["id", "p50", "p99", "baseline", "ratio", "target", "met", *(["since then"] if before else []), "what"]
    made = Table(box=None)
    for title in titles[:-1]:
        made.add_column(title, no_wrap=True, justify="left" if title in ("id", "target", "met") else "right")
    made.add_column("what", overflow="fold", min_width=20)
    for what, *cells in rows:
        made.add_row(*map(Text.from_markup, cells), what)
    return made


def _cells(row: Row, slowest: Row | None) -> list[str]:
    """What it is, then its figures."""
    return [
        row.what,
        row.id,
        amount(row.value, row.unit),
        amount(slowest.value, slowest.unit) if slowest else "",
        "" if row.baseline is None else amount(row.baseline, row.unit),
        fraction(row.ratio),
        row.target,
        {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[row.met],
    ]


def _since(row: Row, then: Row | None) -> str:
    if then is None:
        return "new"
    words = f"{abs(change(row, then)):.0%} {'worse' if change(row, then) > 0 else 'better'}"
    return f"[red]{words}[/]" if is_worse(row, then) else f"[dim]{words}[/]"


def amount(value: float, unit: str) -> str:
    """Three digits that count: 1.65 ms, 42.1 ms, 1240 ms."""
    if value == int(value) and unit == "calls":
        return f"{value:.0f}"
    digits = 2 if value < 10 else 1 if value < 100 else 0  # noqa: PLR2004
    return f"{value:.{digits}f} {unit}"


def fraction(ratio: float | None) -> str:
    """`1/24.3` below a half, `1.12` above."""
    if ratio is None:
        return ""
    return f"1/{1 / ratio:.1f}" if 0 < ratio < 0.5 else f"{ratio:.2f}"  # noqa: PLR2004


# --- the README --------------------------------------------------------------------------------------------------------


def markdown(figures: Figures) -> str:
    """The table of what is promised, and a line about the machine. What grows is a finding, not a promise."""
    lines = ["| what | measured | ratio | target | met |", "|---|---|---|---|---|"]
    lines += [_line(row) for row in figures.rows if row.target and not row.id.startswith("growth.")]
    told = figures.machine
    machine = (
        f"{told['cpus']} CPUs ({told['cpu']}), {told['memory_gb']} GB, {told['system']}, Linux {told['kernel']}, "
        f"Docker {told['docker']}, {told['date']}, load {told['load']} before it began."
    )
    if float(told["load"]) > _QUIET * float(told["cpus"]):
        machine += " It was not quiet: times are longer than they need be, and ratios say more."
    return "\n".join([*lines, "", machine])


def _line(row: Row) -> str:
    met = "yes" if row.met else f"no: {NEXT_STEPS[row.id]}" if row.id in NEXT_STEPS else "no"
    return f"| {row.what} | {amount(row.value, row.unit)} | {fraction(row.ratio)} | {row.target} | {met} |"


def written_into(readme: str, figures: Figures) -> str:
    """The text with its table renewed. Raises BadFigures where it has no place for one."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BadFigures(f"there is no line {BEGIN} followed by {END}, between which the table would go")
    return f"{before}{BEGIN}\n{markdown(figures)}\n{END}{after}"
