from dataclasses import replace
from pathlib import Path

import pytest

from server.record.store import Store
from server.sandbox.ledger import Entry, KeptJob, Ledger, scope_of
from server.sandbox.sandbox import Copy, Exit, Mount
from tests.fakes import DONE, SPEC, ledger

ENTRY = Entry(
    scope="scope",
    owner="ann",
    name="default",
    server="one",
    state="live",
    sandbox="box",
    key="k",
    environment="base",
    image="sandgate/base",
    user=(1000, 1000),
    folders=("/work",),
    hosts=("docs.example",),
    opened=1,
    used=1,
)


def test_what_is_entered_is_found_as_it_was(tmp_path: Path) -> None:
    ledger(tmp_path).enter(ENTRY)

    assert ledger(tmp_path).every() == [ENTRY]


@pytest.mark.promise("session.alone")
def test_what_a_live_server_holds_is_nobody_elses(tmp_path: Path) -> None:
    ledger(tmp_path, "one").enter(ENTRY)
    second = ledger(tmp_path, "two")

    assert second.free("ann", "default") == []
    assert second.elsewhere("ann", "default") == ENTRY
    assert ledger(tmp_path, "one").elsewhere("ann", "default") is None


def test_a_dead_servers_session_is_taken_once(tmp_path: Path) -> None:
    ledger(tmp_path, "one").enter(ENTRY)
    second, third = (ledger(tmp_path, server, lambda name: name != "one") for server in ("two", "three"))
    (seen,) = second.free("ann", "default")
    (seen_too,) = third.free("ann", "default")

    assert [second.take(seen), third.take(seen_too)] == [True, False]
    assert third.free("ann", "default") == []


def test_what_is_put_down_is_free_while_its_server_lives(tmp_path: Path) -> None:
    first = ledger(tmp_path, "one")
    first.enter(ENTRY)
    first.put_down(ENTRY.id, 7.0)

    assert [(entry.id, entry.used) for entry in ledger(tmp_path, "two").free("ann")] == [(ENTRY.id, 7.0)]


def test_one_that_was_used_since_it_was_looked_at_is_not_taken(tmp_path: Path) -> None:
    """Who buries many old ones comes to the last of them long after it was seen: its owner may have been back meanwhile."""
    first, second, third = (ledger(tmp_path, server) for server in ("one", "two", "three"))
    first.enter(ENTRY)
    first.put_down(ENTRY.id, 7.0)
    (seen,) = third.free("ann")
    (used,) = second.free("ann")
    assert second.take(used)
    second.put_down(ENTRY.id, 8.0)

    assert not third.take(seen)
    assert third.take(third.free("ann")[0])


def test_another_scope_and_another_caller_see_nothing(tmp_path: Path) -> None:
    ledger(tmp_path, "one", lambda _: False).enter(ENTRY)
    elsewhere = Ledger(Store(tmp_path / "sandgate.db"), "two", "other", lambda _: False, lambda _: False)

    assert elsewhere.free("ann") == []
    assert ledger(tmp_path, "two", lambda _: False).free("bob") == []


def test_a_parked_session_has_no_sandbox_and_no_key(tmp_path: Path) -> None:
    ours = ledger(tmp_path)
    ours.enter(ENTRY)
    ours.parked(ENTRY.id, "snapshot:1", 9.0)
    (parked,) = ours.every()
    ours.lives(ENTRY.id, "box2", "k2", "snapshot:1")

    assert (parked.state, parked.sandbox, parked.key, parked.image, parked.used) == ("parked", "", "", "snapshot:1", 9)
    assert ours.every() == [replace(parked, state="live", sandbox="box2", key="k2")]


def test_a_sandbox_is_made_by_what_is_offered_now_and_what_is_the_sessions_own() -> None:
    lent = tuple(Mount(f"/host{target}", target, read_only=True, device=1, inode=1) for target in ("/work", "/other"))
    brought = tuple(Copy(f"/host{target}", target, device=1, inode=1) for target in ("/other", "/work"))
    offered = replace(SPEC, mounts=lent, copies=brought, memory_bytes=1 << 28)
    made = replace(ENTRY, image="snapshot:1", user=(501, 20)).spec(offered)

    assert made == replace(offered, image="snapshot:1", user=(501, 20), mounts=lent[:1], copies=brought[1:])


def test_jobs_keep_their_ends_and_one_without_had_none(tmp_path: Path) -> None:
    ours = ledger(tmp_path)
    for name in ("j1", "j2", "j3"):
        ours.job_started(ENTRY.id, KeptJob(name, "shell", "d-1", None))
    ours.job_ended(ENTRY.id, "j1", DONE, background=False)
    ours.job_forgotten(ENTRY.id, "j3")

    assert ours.jobs(ENTRY.id) == [
        KeptJob("j1", "shell", "d-1", DONE, background=False),
        KeptJob("j2", "shell", "d-1", None),
    ]


def test_a_job_goes_on_where_it_cannot_be_written_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "sandgate.db").write_text("no database at all, whatever its name may say of it, but a plain text")
    ours = ledger(tmp_path)
    ours.job_started("s1", KeptJob("j1", "shell", "d-1", None))
    ours.job_ended("s1", "j1", Exit("killed"), background=True)

    assert "not written down: how job j1 of session s1 ended" in caplog.text


def test_scopes_are_the_same_where_the_same_is_lent_the_same_way() -> None:
    same = scope_of([("/a", "rw"), ("/b", "ro")])

    assert same == scope_of([("/b", "ro"), ("/a", "rw")])
    assert len({same, scope_of([]), scope_of([("/a", "ro"), ("/b", "ro")])}) == 3


def test_of_one_callers_parked_sessions_those_used_last_are_no_surplus(tmp_path: Path) -> None:
    ours = ledger(tmp_path)
    for name, changed in {
        "oldest": {"used": 1.0},
        "newest": {"used": 3.0},
        "older": {"used": 2.0},
        "awake": {"used": 0.0, "state": "live"},
        "bobs": {"used": 0.0, "owner": "bob"},
        "elsewhere": {"used": 0.0, "scope": "another"},
    }.items():
        ours.enter(replace(ENTRY, **{"id": name, "name": name, "state": "parked", **changed}))  # type: ignore[arg-type, dict-item]  # its own fields

    assert ours.surplus(1) == {"oldest", "older"}
    assert ours.surplus(3) == frozenset()
