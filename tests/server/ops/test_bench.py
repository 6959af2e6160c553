"""The bench measures and reports; how fast it was is never a test's business."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("sandgate"))


def test_every_row_has_the_stable_keys_and_a_ratio_of_one_run() -> None:
    argv = [PROGRAM, "bench", "--json", "--calls", "5"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=True, env=dict(os.environ))
    found = json.loads(done.stdout)

    assert [row["id"] for row in found["rows"]] == ["exec.server_side", "shell.stdio"]
    for row in found["rows"]:
        assert row.keys() == {"id", "what", "value", "unit", "baseline", "ratio", "target", "met"}
        assert row["value"] > 0
        assert row["baseline"] > 0
        assert row["met"] == (row["ratio"] <= row["target"])
    assert found["parse"].keys() == {"p50_ms", "p99_ms", "target_ms", "met"}
