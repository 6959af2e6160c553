"""What no line of the audit holds: the values of secrets, and what matches the operator's own patterns."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
SHORTEST: Final = 8  # characters: anything shorter would be found in texts that are not about it

_ESCAPE: Final = re.compile("%[0-9A-F]{2}")


@dataclass(frozen=True, slots=True)
class Masking:
    """Applied to every text of a line before it is cut, hashed or written. `secrets` are asked for each time."""

    patterns: tuple[re.Pattern[str], ...] = ()
    secrets: Callable[[], Iterable[str]] | None = None

    def fields(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same where there is nothing to mask."""
        values = _spellings(tuple(self.secrets())) if self.secrets else ()
        return self._value(fields, values) if values or self.patterns else fields

    def _value(self, value: Any, values: tuple[str, ...]) -> Any:
        if isinstance(value, str):
            return self._text(value, values)
        if isinstance(value, Mapping):
            return {self._value(name, values): self._value(inner, values) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(inner, values) for inner in value]
        return value

    def _text(self, text: str, values: tuple[str, ...]) -> str:
        for value in values:
            if value in text:
                text = text.replace(value, MASK)
        for pattern in self.patterns:
            text = pattern.sub(MASK, text)
        return text


@lru_cache(maxsize=1)
def _spellings(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """As they are, and as a URL or JSON has them; the longest first, for one may begin with another."""
    found = {form for value in secrets if len(value) >= SHORTEST for form in _forms(value)}
    return tuple(sorted(found, key=len, reverse=True))


def _forms(value: str) -> Iterator[str]:
    yield value
    for quoted in (quote(value, ""), quote(value), quote_plus(value)):
        yield quoted
        yield _ESCAPE.sub(lambda found: found[0].lower(), quoted)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]


NOTHING: Final = Masking()
