"""A folder of the operator's in copy mode, as a client meets it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.rig import Home, connected, structured
from tests.real_git import repository

pytestmark = pytest.mark.anyio


@pytest.fixture
def project() -> Iterator[Path]:
    """Where a person's own folder would lie: at a path that can exist inside as well."""
    top = Path(tempfile.mkdtemp(prefix="sgp"))
    made = repository(top / "project", {"a.txt": "one\n", ".gitignore": ".env\n"})
    (made / ".env").write_text("SECRET=1\n")
    if os.geteuid() == 0:
        os.chown(made, 1000, 1000)
    yield made
    shutil.rmtree(top)


@pytest.mark.promise("workspace.copy")
async def test_what_a_session_does_to_a_copy_stays_in_it(folder: Path, project: Path) -> None:
    home = Home(folder, arguments=("--workspace", str(project)))
    async with connected(home) as client:
        script = "pwd; cat a.txt; ls -A; echo two > a.txt; git status --porcelain"
        first = structured(await client.call_tool("shell", {"command": script}))
        written = await client.call_tool("file_write", {"path": f"{project}/new", "content": "x"})

    assert first["stdout"] == f"{project}\none\n.git\n.gitignore\na.txt\n M a.txt\n"
    assert first["cwd"] == str(project)
    assert not written.is_error
    assert sorted(path.name for path in project.iterdir()) == [".env", ".git", ".gitignore", "a.txt"]
    assert (project / "a.txt").read_text() == "one\n"
    copied = home.audit("workspace.copied")[0]
    assert (copied["source"], copied["ignored"]) == (str(project), 1)
