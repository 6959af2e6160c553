"""The wheel in an environment that has nothing but what the lock names, from the registry or uv's cache."""

import os
from pathlib import Path

import pytest

from tests import wheel

pytestmark = pytest.mark.soak
UV = ("/bin/sh", str(wheel.ROOT / "scripts/setup"), "--uv")


def test_a_wheel_in_an_empty_environment_builds_nothing_twice_and_shows_the_demo(tmp_path: Path) -> None:
    env, elsewhere = tmp_path / "env", tmp_path / "elsewhere"
    elsewhere.mkdir()
    wheel.run(*UV, "build", "-q", "-o", str(tmp_path / "dist"), cwd=wheel.ROOT, timeout_s=300)
    (built,) = (tmp_path / "dist").glob("*.whl")
    wheel.run(*UV, "venv", "-q", "--python", "3.13", str(env), cwd=wheel.ROOT)
    into = (*UV, "pip", "install", "-q", "--python", str(env / "bin/python"))
    wheel.run(*into, "--require-hashes", "-r", "requirements/run.txt", cwd=wheel.ROOT, timeout_s=600)
    wheel.run(*into, "--no-deps", str(built), cwd=wheel.ROOT, timeout_s=300)
    program = str(env / "bin/sandgate")

    assert "is current" in wheel.run(program, "images", "build", cwd=elsewhere, timeout_s=600, **os.environ)
    assert "as expected" in wheel.run(program, "demo", cwd=elsewhere, timeout_s=200, **os.environ)
