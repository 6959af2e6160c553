import sys
from collections.abc import Sequence

import pytest

from server.ops.presets import PRESETS, asked, hosts
from server.ops.user_settings import NotSaved


def nobody(_: Sequence[str]) -> str:
    return ""


@pytest.mark.parametrize("name", PRESETS)
def test_where_no_manager_says_where_its_index_is_a_person_must(name: str) -> None:
    with pytest.raises(NotSaved, match="sandgate allow HOST"):
        hosts(name, {}, nobody)


def test_pip_knows_its_own_index_and_where_its_files_lie() -> None:
    assert len(hosts("pip", {}, lambda command: asked(command) if command[0] == sys.executable else "")) == 2


def test_a_managers_own_index_takes_its_place_and_no_password_comes_along() -> None:
    said = {"npm": "https://me:hunter2@npm.corp.example:8443/registry/\n"}

    assert hosts("npm", {}, lambda command: said.get(command[0], "")) == ("npm.corp.example:8443",)
    assert hosts("pip", {"PIP_INDEX_URL": "https://pypi.corp.example/simple"}, nobody) == ("pypi.corp.example",)


def test_several_are_each_named_once() -> None:
    sites = "http://deb.example\nhttps://deb.example\nhttp://security.example:80\n"

    assert hosts("apt", {}, lambda _: sites) == ("deb.example", "security.example")
    assert hosts("go", {"GOPROXY": "https://a.example,https://b.example|direct"}, nobody) == ("a.example", "b.example")


def test_what_there_is_not_is_said_with_what_there_is() -> None:
    with pytest.raises(NotSaved, match="there are: apt, go, npm, pip, uv"):
        hosts("brew", {}, nobody)


def test_a_program_that_is_missing_or_fails_says_nothing() -> None:
    assert asked(["no-such-program"]) == asked(["false"]) == ""
    assert asked(["echo", "https://x.example"]) == "https://x.example\n"
