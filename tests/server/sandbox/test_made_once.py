import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from server.sandbox.made_once import made_once


def test_of_several_that_start_together_all_have_what_the_first_made(tmp_path: Path) -> None:
    path = tmp_path / "state" / "key"
    with ThreadPoolExecutor(8) as servers:
        had = set(servers.map(lambda number: made_once(path, b"%d" % number), range(64)))

    assert had == {path.read_bytes()}
    assert made_once(path, b"later") == path.read_bytes()
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    made_once(tmp_path / "state" / "key", b"secret")

    assert stat.S_IMODE((tmp_path / "state" / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
