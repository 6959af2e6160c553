"""The exported bundle: what an OPA server needs to decide as we do, and the same bytes for the same policy."""

import json
import tarfile
from pathlib import Path

import pytest

from server.judge.bundle import read_bundle
from server.judge.export import write_bundle
from tests.server.judge.judging import BUNDLE, custom_rule

ASKS = """findings contains {"effect": "ask", "reason": "house rule", "help": "-"} if input.tool == "exec\""""


@pytest.fixture
def packed(tmp_path: Path) -> dict[str, bytes]:
    bundle = read_bundle(BUNDLE, {"deny": ["nc"]}, [custom_rule(tmp_path, ASKS)])
    write_bundle(bundle, BUNDLE, tmp_path / "bundle.tar.gz")
    with tarfile.open(tmp_path / "bundle.tar.gz") as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry))}


def test_it_holds_rules_tables_settings_and_the_operators_rules_but_no_tests(packed: dict[str, bytes]) -> None:
    data = json.loads(packed["data.json"])

    assert "sandgate/main.rego" in packed
    assert data["sandgate"]["programs"]["tags"]
    assert data["sandgate_config"]["commands"]["nc"][0]["effect"] == "deny"
    assert any(b"package sandgate_custom.house" in content for content in packed.values())
    assert not [name for name in packed if "_test" in name or name.endswith(("allowed.json", "denied.json"))]


def test_its_manifest_names_what_it_owns_and_the_revision_that_decisions_carry(packed: dict[str, bytes]) -> None:
    manifest = json.loads(packed[".manifest"])

    assert manifest["roots"] == ["sandgate", "sandgate_config", "sandgate_custom"]
    assert manifest["rego_version"] == 1
    assert manifest["revision"] == json.loads(packed["data.json"])["sandgate_config"]["revision"]


def test_the_same_policy_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_bundle(read_bundle(BUNDLE, {}), BUNDLE, tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
