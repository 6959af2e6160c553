"""What a caller is told of a session that is not what its name made it expect."""

from collections.abc import Container

from server.sandbox.ledger import Entry, Ledger


def taken_up(entry: Entry, usual: str) -> list[str]:
    """Of one that another server had: its environment stays, whatever this server's own is. usual: that; may be none."""
    if usual in ("", entry.environment):
        return []
    kept = f"session {entry.name} was kept with its files and its environment, {entry.environment}"
    return [f"{kept}; this server's own is {usual}: close the session for one of that"]


def begun_beside(ledger: Ledger, entry: Entry, offered: Container[str]) -> list[str]:
    """Of a new one: where there are others of its name, their files are not in it."""
    told = []
    if ledger.elsewhere(entry.owner, entry.name):
        told.append(
            f"another running server of these folders has a session {entry.name} too; this one is separate, with files of its own"
        )
    kept = {other.environment for other in ledger.free(entry.owner, entry.name)} - {entry.environment}
    told.extend(
        f"a session {entry.name} of the environment {environment} is kept, which this server does not offer; "
        "this one is separate, with files of its own"
        for environment in sorted(kept)
        if environment not in offered
    )
    return told
