"""How values look on the page: whatever comes from a sandbox or an agent is text there, with nothing in it hidden.

Every value that a template prints goes through here, not only those that somebody thought of.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from server.escaping import escaped

FOLDER: Final = Path(__file__).parent
KILO: Final = 1000.0


def visible(value: Any) -> Any:
    """What does not print as itself is written out; tabs and line ends stay what they are."""
    if isinstance(value, Markup):
        return value
    return escaped(str(value))


def clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds))


def stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def size(count: float) -> str:
    """Bytes for people, in powers of ten as networks and disks have them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < KILO:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"  # noqa: PLR2004
        count /= KILO
    return f"{count:.1f} TB"


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(clock=clock, stamp=stamp, day=day, size=size, plural=plural, as_json=as_json)
    return made
