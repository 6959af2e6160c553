from pathlib import Path

from server.looks import Unchanged


def test_what_was_read_is_read_again_only_where_a_file_looks_different(tmp_path: Path) -> None:
    path, read = tmp_path / "sandgate.toml", list[str]()

    def reads() -> int:
        read.append(path.read_text() if path.exists() else "")
        return len(read)

    known = Unchanged((path,), reads)
    assert [known(), known()] == [1, 1]
    path.write_text("one")
    assert [known(), known()] == [2, 2]
    path.write_text("longer")  # perhaps in the same tick of the clock
    assert [known(), known()] == [3, 3]
    path.unlink()
    assert [known(), known()] == [4, 4]
    assert read == ["", "one", "longer", ""]
