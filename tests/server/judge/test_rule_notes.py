"""What rules say of themselves: every rule of ours says what holds it, and one that does not is found."""

import shutil
from pathlib import Path

import pytest

from server.judge.rule_notes import MEANING, rule_notes
from tests.server.judge.judging import BUNDLE


def test_every_rule_says_what_holds_it() -> None:
    notes = rule_notes(BUNDLE)
    assert len(notes) == len([path for path in (BUNDLE / "rules").glob("*/*") if path.is_dir()])
    assert {note.held_by for note in notes.values()} == set(MEANING)
    assert notes["outward.publish"].title == "Publishing"


def test_a_rule_that_does_not_say_it_is_named(tmp_path: Path) -> None:
    shutil.copytree(BUNDLE / "rules/files", tmp_path / "rules/files")
    areas = tmp_path / "rules/files/areas/areas.rego"
    areas.write_text(areas.read_text().replace("held_by: kernel", "held_by: hope"))
    with pytest.raises(ValueError, match=r"areas\.rego"):
        rule_notes(tmp_path)
