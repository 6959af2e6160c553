from dataclasses import replace

import pytest

from server.sandbox.snapshot import Snapshot, WrongEnvironment
from tests.fakes import SPEC

KEPT = Snapshot("i1", "before", "ann", "named", "kept:1", "base", 7, 1.5, (1001, 1002), ("/home/me/project", "/srv"))


def test_a_row_holds_all_of_it() -> None:
    assert Snapshot.of_row(KEPT.row()) == KEPT
    assert Snapshot.of_row(replace(KEPT, left_out=()).row()).left_out == ()
    assert KEPT.row()["used"] == KEPT.created


def test_a_sandbox_of_it_runs_as_the_user_whose_files_it_has() -> None:
    assert KEPT.spec(SPEC) == replace(SPEC, image="kept:1", user=(1001, 1002))


def test_it_starts_in_no_other_environment() -> None:
    with pytest.raises(WrongEnvironment, match=r"is of environment base, not node; leave environment out"):
        KEPT.spec(replace(SPEC, environment="node"))
