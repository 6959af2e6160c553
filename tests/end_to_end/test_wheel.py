"""What is installed from the wheel works in a folder that has nothing to do with the checkout."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from tests import wheel

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]  # what is installed, and what a demo has to build
NOT_CODE = ("__pycache__", ".venv", ".pyc", "test_pypi")


@dataclass(frozen=True, slots=True)
class Installed:
    wheel: Path
    program: Path
    elsewhere: Path

    def run(self, *argv: str, timeout_s: float = 60) -> str:
        return wheel.run(str(self.program), *argv, cwd=self.elsewhere, timeout_s=timeout_s, **os.environ)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    built = wheel.build(folder / "dist")
    (folder / "elsewhere").mkdir()
    return Installed(built, wheel.install(built, folder / "env"), folder / "elsewhere")


def test_the_wheel_holds_the_packages_the_images_and_the_example_and_nothing_else(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    roots = {name.split("/")[0] for name in names}
    images = {
        path.relative_to(wheel.ROOT) for path in (wheel.ROOT / "images").rglob("*") if "__pycache__" not in path.parts
    }

    assert roots == {"server", "policy", "egress", f"sandgate-{installed.wheel.name.split('-')[1]}.dist-info"}
    assert {f"server/shipped/{path}" for path in images} <= {*names, *(str(Path(name).parent) for name in names)}
    assert {"server/shipped/examples/shop/conftest.py", "policy/rego/main.rego"} <= {*names}
    assert [name for name in names if any(word in name for word in NOT_CODE)] == []


def test_it_runs_from_the_wheel_and_not_from_the_checkout(installed: Installed) -> None:
    python = str(installed.program.with_name("python"))
    found = wheel.run(python, "-c", "import server; print(server.__file__)", cwd=installed.elsewhere)

    assert found.startswith(str(installed.program.parents[1]))


def test_every_command_is_there(installed: Installed) -> None:
    assert "doctor" in installed.run("--help")


def test_its_rules_pass_their_own_tests(installed: Installed) -> None:
    assert ", 0 failed" in installed.run("policy", "test")


def test_its_images_are_the_ones_that_the_checkout_built(installed: Installed) -> None:
    assert installed.run("images", "build", timeout_s=250).count("is current") >= 2


async def test_it_lists_its_tools_to_a_client(installed: Installed) -> None:
    server = StdioServerParameters(
        command=str(installed.program), args=["serve", "--stdio"], env=dict(os.environ), cwd=installed.elsewhere
    )
    async with Client(server) as client:
        listed = await client.list_tools()

    assert {"shell", "file_read", "session_open"} <= {tool.name for tool in listed.tools}


def test_the_demo_goes_as_it_says(installed: Installed) -> None:
    last = installed.run("demo", timeout_s=250).strip().splitlines()[-1]
    assert "nothing waits" in installed.run("approvals", "list")
    words = last.split()

    assert (words[0], words[2], words[4:]) == ("demo:", "of", ["as", "expected"])
    assert words[1] == words[3]
