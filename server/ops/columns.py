"""Tables as they leave a command: whole where they are piped, and at a terminal with no name and no figure cut."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

UNBOUNDED: Final = 100_000  # columns, where nobody looks at a screen


def typed(title: str) -> Column:
    """A column of names that are typed into other commands: none is folded or cut, however narrow the terminal."""
    return Column(title, no_wrap=True)


def folded(title: str) -> Column:
    """A column whose words go on below where the terminal is narrow."""
    return Column(title, overflow="fold", min_width=len(title))


def show(table: Table, dispensable: Sequence[str] = ()) -> None:
    """A row is one line where it is piped. dispensable: columns that a narrow terminal does without, the first first."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = UNBOUNDED
    whole = console.options.update(width=UNBOUNDED)
    for column in table.columns:
        if column.no_wrap:
            column.min_width = max(Measurement.get(console, whole, cell).maximum for cell in column.cells)
    for title in dispensable:
        if _least(console, table) <= console.width:
            break
        table.columns = [column for column in table.columns if column.header != title]
    console.width = max(console.width, _least(console, table))  # what is wider yet the terminal itself breaks
    console.print(table)


def _least(console: Console, table: Table) -> int:
    return Measurement.get(console, console.options.update(width=UNBOUNDED), table).minimum
