"""Whose is what: by an id that lies in the state directory, never by a path alone."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from server.sandbox import installation
from server.sandbox.installation import Installation


def test_a_directory_keeps_its_id_and_a_new_one_at_its_place_has_another(tmp_path: Path) -> None:
    first = Installation.of(tmp_path / "state")

    assert Installation.of(tmp_path / "state") == first
    shutil.rmtree(tmp_path / "state")
    assert Installation.of(tmp_path / "state").id != first.id


def test_servers_that_start_together_agree(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(Installation.of(tmp_path).id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["installation"]


@pytest.mark.promise("nothing.left")
def test_only_what_is_ours_or_nobody_s_may_be_removed(tmp_path: Path) -> None:
    ours, theirs = Installation.of(tmp_path / "ours"), Installation.of(tmp_path / "theirs")
    elsewhere = replace(theirs, host="another machine", state_dir=Path("/gone"))

    assert ours.may_remove(ours.labels)
    assert not ours.may_remove(theirs.labels)
    assert not ours.may_remove(elsewhere.labels), "a path of another machine says nothing here"
    shutil.rmtree(tmp_path / "theirs")
    assert ours.may_remove(theirs.labels)
    Installation.of(tmp_path / "theirs")
    assert ours.may_remove(theirs.labels), "what lives there now is another installation"


def test_a_directory_that_is_closed_to_us_counts_as_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = Installation.of(tmp_path / "ours"), Installation.of(tmp_path / "theirs")

    def closed(_: Path) -> str:
        raise PermissionError

    monkeypatch.setattr(installation, "_known_at", closed)
    assert not ours.may_remove(theirs.labels)
