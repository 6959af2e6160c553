"""The parameters that tools share, as a client's schema shows them, and the four annotations every tool sets.

Flat on purpose: hosts choke on $ref, anyOf and oneOf. Annotations are all set, because their defaults are pessimistic.
"""

from typing import Annotated, Any

from mcp.types import ToolAnnotations
from pydantic import Field, WithJsonSchema

MAX_COMMAND = 32_768  # characters; what is longer belongs in a file
LONGEST_PATH = 4096  # characters; Linux takes no longer one
MAX_INPUT = 1_000_000  # characters in one call
MAX_WAIT_S = 50.0  # hosts give up on a call after 60 s
MAX_TIMEOUT_S = 3600.0
OptionalText = Annotated[str | None, WithJsonSchema({"type": "string"})]
OptionalCount = Annotated[int | None, WithJsonSchema({"type": "integer", "minimum": 1})]
SessionName = Annotated[
    OptionalText, Field(max_length=128, description="default: your own sandbox, made at the first call")
]
Folder = Annotated[
    OptionalText, Field(max_length=LONGEST_PATH, description="directory to start in; default: the workspace")
]
FilePath = Annotated[str, Field(max_length=LONGEST_PATH)]
Chars = Annotated[int, Field(ge=100, le=200_000, description="characters of stdout in the answer; the rest is kept")]
Timeout = Annotated[float, Field(gt=0, le=MAX_TIMEOUT_S, description="seconds until the command is stopped")]
Wait = Annotated[float, Field(ge=0, le=MAX_WAIT_S, description="seconds to wait before answering with a running job")]
Background = Annotated[
    bool, Field(description="answer at once; it may run as long as the session, and job_input writes to it")
]

RUNS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
APPENDS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)
OPENS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)


def given(**arguments: Any) -> dict[str, Any]:
    """What the client sent, as the audit and the policy see it; what was left out is left out."""
    return {name: value for name, value in arguments.items() if value is not None}
