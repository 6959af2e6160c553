"""A form as a browser sends it: read within a bound."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

MOST_FORM: Final = 256 * 1024  # bytes; the longest command that shell takes fits in

MOST_DIGITS: Final = 15

type Form = Mapping[str, str]


async def read_form(request: Request) -> Form | None:
    """A form's fields; None for what is none, or is too long."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_FORM:
            return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return None


def number(text: str) -> int:
    """What it says; 0 for what says none, or one beyond all measure."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else 0
