"""Whether the gate lets through what it should and nothing else, asked from inside a sandbox."""

import json
from collections.abc import Mapping
from typing import Final

from server.ops.check import Check, Tell, fail, ok
from server.ops.demo_origin import BODY, HOST, Origin
from server.ops.trial import said
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.egress_link import AllowEntry

INSIDE: Final = "inside.demo.example"  # allowed, and leads to a private address that is not
ELSEWHERE: Final = "elsewhere.example"
PRIVATE: Final = "10.255.255.254"
_FETCH: Final = """
import json, sys, urllib.request, urllib.error
try:
    with urllib.request.urlopen(sys.argv[1], timeout=15) as answer: print(json.dumps({"status": answer.status, "body": answer.read(4096).decode()}))
except urllib.error.HTTPError as refused: print(json.dumps({"status": refused.code, "body": refused.read(4096).decode()}))
except OSError as error: print(json.dumps({"status": 0, "body": str(error)}))
"""
_FIX: Final = "Nothing leaves a sandbox until this works; see what `sandgate serve --stdio` says on standard error."


def allowed(origin: Origin) -> tuple[AllowEntry, ...]:
    return (f"{HOST}:{origin.port}", INSIDE)


def resolved() -> Mapping[str, str]:
    return {HOST: "127.0.0.1", INSIDE: PRIVATE}


async def gate(sandbox: DockerSandbox, origin: Origin, tell: Tell) -> None:
    """One host that is allowed, one that is not, and one that leads to where nothing may."""
    status, body = await _fetched(sandbox, origin.url)
    if status == 200 and body == BODY.decode():  # noqa: PLR2004 - HTTP's own
        tell(ok("gate_allows", "An allowed host answered through the gate, its certificate checked."))
    else:
        tell(fail("gate_allows", f"An allowed host did not answer through the gate ({status}: {body[:200]}).", _FIX))
    if status == 0:
        tell(fail("gate_refuses", "Not asked: the gate does not answer at all.", _FIX))
        return
    tell(await _refused(sandbox, "gate_refuses", f"https://{ELSEWHERE}/", "egress.not_allowed", "A host on no list"))
    private = "A name that leads to a private address"
    tell(await _refused(sandbox, "gate_private", f"https://{INSIDE}/", "egress.private_address", private))


async def _refused(sandbox: DockerSandbox, name: str, url: str, rule: str, what: str) -> Check:
    status, body = await _fetched(sandbox, url)
    if status == 403 and rule in body:  # noqa: PLR2004 - HTTP's own
        return ok(name, f"{what} was refused with the reason ({rule}).")
    return fail(name, f"{what} was not refused as it should be ({status}: {body[:200]}).", _FIX)


async def _fetched(sandbox: DockerSandbox, url: str) -> tuple[int, str]:
    _, text = await said(sandbox, _FETCH, url)
    try:
        told = json.loads(text)
        return int(told["status"]), str(told["body"])
    except (ValueError, KeyError, TypeError):
        return 0, text
