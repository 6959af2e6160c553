from pathlib import Path

from server.record.suspicion_rows import SuspicionRows


def effects(rows: SuspicionRows) -> list[tuple[str, str, str]]:
    return [(row["owner"], row["name"], row["effect"]) for row in rows.all()]


def test_what_is_frozen_stays_so_until_it_is_dropped(tmp_path: Path) -> None:
    server, person = (SuspicionRows(tmp_path / "state/sandgate.db") for _ in range(2))
    assert server.all() == []
    server.put("ann", "work", "ask", "3 denials", 1)
    server.put("ann", "work", "freeze", "9 denials", 2)
    server.put("ann", "work", "ask", "5 new hosts", 3)
    server.put("bob", "work", "ask", "3 denials", 4)

    assert effects(person) == [("ann", "work", "freeze"), ("bob", "work", "ask")]
    assert person.all(owner="ann")[0]["why"] == "9 denials"
    person.drop("ann", "work")
    assert effects(server) == [("bob", "work", "ask")]
    server.close()
