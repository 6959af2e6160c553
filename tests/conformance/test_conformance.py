"""The official suite against our own HTTP server, both eras: with its fixtures added, and as it is in production."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.http_rig import ANN, serving_by, tokens
from tests.end_to_end.rig import Home
from tests.installed import node, node_modules, trusting

pytestmark = pytest.mark.timeout(300)  # the first of them may wait for what is installed
ERAS = ("2025-11-25", "2026-07-28")
RESULT = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT.*")
GOOD = {"SUCCESS", "INFO", "SKIPPED"}  # skipped: of what the server does not say it offers
REQUIRED = {"2025-11-25": 30, "2026-07-28": 37}  # scenarios for servers in the frozen set of each

# What the suite runs beside the required and we do not offer, by design; none of it is scored.
TASKS = "the tasks extension: no host declares it; long commands become jobs, which any client can use"
NOT_OFFERED = {
    "json-schema-2020-12": "needs a tool with $ref, anyOf and if: hosts choke on those, so ours are flat",
    "http-custom-header-server-validation": "needs a parameter that travels as a header as well; none of ours does",
    "server-sse-polling": "resuming a stream: a job's output is kept and read on by job_output instead",
    **dict.fromkeys(
        (
            "tasks-lifecycle",
            "tasks-capability-negotiation",
            "tasks-wire-fields",
            "tasks-request-state-removal",
            "tasks-mrtr-input",
            "tasks-request-headers",
            "tasks-dispatch-and-envelope",
            "tasks-required-task-error",
            "tasks-mrtr-composition",
        ),
        TASKS,
    ),
}

# What needs no fixture: production itself is held to it.
AS_IT_IS = {
    "2025-11-25": {
        "server-initialize",
        "ping",
        "tools-list",
        "tools-call-error",
        "server-sse-multiple-streams",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
        "server-session-lifecycle",
    },
    "2026-07-28": {
        "tools-list",
        "tools-call-error",
        "server-sse-multiple-streams",
        "resources-list",
        "sep-2164-resource-not-found",
        "prompts-list",
        "dns-rebinding-protection",
        "caching",
        "input-required-result-unsupported-methods",
        "http-header-validation",
    },
}


@contextmanager
def served(home: Path, kind: str) -> Iterator[str]:
    """Our server over HTTP, with the suite's fixtures or bare; its address."""
    home.mkdir()
    program = [sys.executable, "-W", "ignore", "-m", "tests.conformance.served"]
    with serving_by(Home(home, tokens(ann=ANN)), lambda port: [*program, str(port), kind]) as server:
        yield f"{server.url}/mcp"


@pytest.fixture(scope="module")
def fixtures(folder: Path) -> Iterator[str]:
    with served(folder / "f", "fixtures") as url:
        yield url


@pytest.fixture(scope="module")
def bare(folder: Path) -> Iterator[str]:
    with served(folder / "b", "bare") as url:
        yield url


def ran(url: str, era: str, place: Path) -> dict[str, set[str]]:
    """How the checks of each scenario that the era requires, and of those it only reports, ended."""
    program = node_modules() / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    argv = [node(), str(program), "server", "--url", url, "--requirements", era, "-o", str(place)]
    environ = {"PATH": os.environ["PATH"], **trusting()}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=250, check=False)
    assert "=== SUMMARY ===" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
    found = {}
    for file in place.glob("*/checks.json"):
        name = RESULT.fullmatch(file.parent.name)
        assert name, file
        found[name[1]] = {str(check["status"]) for check in json.loads(file.read_text())}
    return found


@pytest.mark.parametrize("era", ERAS)
def test_every_required_scenario_passes(fixtures: str, tmp_path: Path, era: str) -> None:
    found = ran(fixtures, era, tmp_path)

    failing = {name for name, statuses in found.items() if "FAILURE" in statuses}
    assert failing == found.keys() & NOT_OFFERED.keys()
    passing = {name for name, statuses in found.items() if statuses <= GOOD}
    assert len(passing) >= REQUIRED[era], sorted(found.keys() - passing - failing)


@pytest.mark.parametrize("era", ERAS)
def test_production_passes_what_needs_no_fixture(bare: str, tmp_path: Path, era: str) -> None:
    found = ran(bare, era, tmp_path)

    assert {name: found[name] for name in AS_IT_IS[era] if not found[name] <= GOOD} == {}
