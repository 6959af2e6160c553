"""Every way past the gate that we know of, published or our own, tried from a real sandbox of a real server.

The server, and so its gate, has its network in the fake internet. One session runs the whole table; what it did is read
from what arrived there, never from what the sandbox was told.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp import Client

from tests.egress.world import probe
from tests.egress.world.internet import WHY_NOT, Internet, possible
from tests.egress.world.verdict import Case, Verdict
from tests.end_to_end.rig import called, structured, text_of
from tests.security.household import Household

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not possible(), reason=WHY_NOT), pytest.mark.timeout(1000)]

FOLDER = Path(probe.__file__).parent
CASES = [Case.parse(json.loads(line)) for line in (FOLDER / "cases.jsonl").read_text().splitlines()]
SECRETS = ("real-value-of-the-key-0123456789", "real-value-of-the-other-987654321")


def settings(folder: Path) -> str:
    for number, value in enumerate(SECRETS):
        (folder / f"secret{number}").write_text(value)
    return f"""
environment = "base"
[policy]
profile = "open"
[egress]
allow = ["allowed.test", "*.allowed.test", "bücher.test", "port.test:8443", "tcp://raw.test:5432",
         {{host = "paths.test", methods = ["GET"], paths = ["/open/**"]}}]
upstream_ca = "{folder}/internet.pem"
tls_per_second = 1000
[[secret]]
name = "key"
variable = "API_KEY"
host = "api.allowed.test"
headers = ["authorization", "x-api-key"]
file = "{folder}/secret0"
[[secret]]
name = "other"
variable = "OTHER_KEY"
host = "paths.test"
paths = ["/open/v1/**"]
headers = ["x-token"]
file = "{folder}/secret1"
"""


@pytest.fixture(scope="module")
def home(folder: Path, internet: Internet) -> Household:
    return Household(folder, settings(folder), internet=internet)


@dataclass(frozen=True, slots=True)
class Run:
    """What the whole table led to."""

    verdict: Verdict
    saw: dict[str, str]


@pytest.fixture(scope="module")
async def run(client: Client, internet: Internet) -> Run:
    for name in ("probe.py", "cases.jsonl"):
        await called(client, "file_write", path=name, content=(FOLDER / name).read_text())
    script = "head -c 8000000 /dev/zero > /tmp/eight; exec python3 -I probe.py cases.jsonl saw.jsonl"
    started = structured(await called(client, "shell", command=script, timeout_s=900, wait_s=50))
    while " running" in text_of(await called(client, "job_output", job=started["job"], wait_s=50, offset=1 << 40)):
        """It goes on."""
    read = await called(client, "file_read", path="saw.jsonl", encoding="base64", limit=8 << 20)
    saw = base64.b64decode(text_of(read).partition("\n[")[0]).decode()
    lines = [json.loads(line) for line in saw.splitlines()]
    began = {line["id"]: line["began"] for line in lines}
    return Run(Verdict(internet.log(), began, SECRETS), {line["id"]: line["saw"] for line in lines})


@pytest.mark.promise("egress.only_gate")
@pytest.mark.promise("egress.names_agree")
@pytest.mark.promise("egress.no_private")
@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize("case", CASES, ids=[f"{case.id} {case.what}" for case in CASES])
async def test_only_what_is_allowed_arrives(run: Run, case: Case) -> None:
    wrong = run.verdict.against(case)

    assert wrong == [], run.saw[case.id]


@pytest.mark.promise("egress.only_gate")
async def test_nothing_else_arrived_anywhere(run: Run) -> None:
    assert run.verdict.of_nobody(CASES) == []


@pytest.mark.promise("secrets.outside")
async def test_the_sandbox_read_no_secret_whatever_came_back(run: Run) -> None:
    assert len(run.saw) == len(CASES)
    assert not [case for case, saw in run.saw.items() if any(secret in saw for secret in SECRETS)]


@pytest.mark.promise("egress.only_gate")
async def test_nothing_in_the_sandbox_opened(run: Run) -> None:
    assert not [case for case, saw in run.saw.items() if "OPEN" in saw]
