"""How a part of the server writes a line of the audit that is about no call."""

from collections.abc import Callable, Mapping
from typing import Any

type Note = Callable[[str, Mapping[str, Any]], None]  # its kind and its fields, as server/record/audit.py lists them
