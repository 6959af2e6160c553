"""The audit as the settings want it, and its head in the server's log."""

import logging
from pathlib import Path

import anyio
import pytest

from server.keyring import Keyring
from server.record.chain import Anchor, anchors
from server.record.reading import verify
from server.settings.files import load
from server.settings.secret import SecretSettings
from server.settings.settings import BadSettings, Settings
from server.wiring.recording import audit_for, keep_written
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


@pytest.mark.promise("audit.masked")
async def test_secrets_and_patterns_of_the_settings_are_masked_from_the_first_line_on(tmp_path: Path) -> None:
    (tmp_path / "value").write_text("sk-from-a-file\n")
    secrets = (
        SecretSettings(name="a", variable="A", host="a.example", file=tmp_path / "value"),
        SecretSettings(name="b", variable="B", host="b.example", command=("echo", "sk-from-a-command")),
    )
    settings = Settings.model_validate({"state_dir": tmp_path, "audit": {"mask": ["tok-[0-9]+"]}, "secret": secrets})
    audit = audit_for(settings, keyring := Keyring(secrets, {}))
    audit.write("server.note", {"text": "sk-from-a-file tok-1"})
    await keyring.all()
    audit.write("server.note", {"text": "sk-from-a-command"})
    audit.close()

    text = settings.audit_file.read_text()
    assert text.count("***") == 3
    assert "sk-from" not in text


@pytest.mark.promise("audit.chain")
async def test_the_log_is_told_where_the_chain_stands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings.model_validate({"state_dir": tmp_path, "audit": {"rotate_mb": 1}})
    audit = audit_for(settings, Keyring((), {}))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_written, audit, 0.001)
        await anyio.wait_all_tasks_blocked()
        audit.write("server.note", {})
        await eventually(lambda: caplog.records)
        tasks.cancel_scope.cancel()
    audit.close()

    (told,) = anchors(caplog.text)
    assert told == Anchor(audit.head.digest, 1)
    assert caplog.records[0].levelno == logging.INFO
    assert verify(settings.audit_file, [told]).count == 1


@pytest.mark.parametrize(("pattern", "said"), [("(", "is not a regular expression"), ("x*", "would mask everything")])
def test_a_pattern_that_cannot_be_meant_is_refused(tmp_path: Path, pattern: str, said: str) -> None:
    (tmp_path / "x.toml").write_text(f'[audit]\nmask = ["{pattern}"]\n')

    with pytest.raises(BadSettings, match=said):
        load(tmp_path / "x.toml", environ={}, home=tmp_path)
