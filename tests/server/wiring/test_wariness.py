from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from server.judge.suspicion import Suspicions
from server.record.audit import AuditFailed
from server.record.suspicion_rows import SuspicionRows
from server.settings.anomalies import AnomalySettings
from server.settings.files import load
from server.settings.settings import BadSettings
from server.wiring.wariness import anomalies_for


@pytest.mark.promise("anomaly.held")
def test_where_it_cannot_be_recorded_what_follows_follows_all_the_same(tmp_path: Path) -> None:
    suspicions = Suspicions(SuspicionRows(tmp_path / "sandgate.db"))

    def full(kind: str, facts: Mapping[str, Any]) -> None:
        raise AuditFailed(f"no room for {kind} {facts}")

    settings = AnomalySettings.model_validate({"denials": {"count": 1, "effect": "freeze"}})
    ours = anomalies_for(settings, suspicions, full)
    ours.hear({"kind": "call.started", "decision_id": "d-1", "caller": "ann", "session": "work", "tool": "shell"})
    ours.hear({"kind": "call.decided", "decision_id": "d-1", "effect": "deny", "rules": [{"id": "x"}]})

    assert suspicions.of("ann", "work") is not None


def test_nobody_is_asked_about_a_login_that_failed(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('[anomalies]\nfailed_logins = {count = 3, effect = "freeze"}\n')

    with pytest.raises(BadSettings, match="nobody has logged in"):
        load(tmp_path / "x.toml", environ={}, home=tmp_path)
