"""What callers of which roles have of what is offered."""

from dataclasses import replace

import pytest

from server.sandbox.grants import EVERYBODYS, Grants, NotGranted
from server.sandbox.sandbox import Copy, Mount, SandboxSpec

pytestmark = pytest.mark.promise("caller.known")

OURS, THEIRS = Copy("/home/ann/ours", "/home/ann/ours", 1, 2), Mount("/srv/theirs", "/srv/theirs", True, 1, 3)
SPEC = SandboxSpec("sandgate/base", "base", mounts=(THEIRS,), copies=(OURS,), secrets=("key", "token"))
GRANTS = Grants({"gpu": ("dev", "ops")}, {"/srv/theirs": ("dev",)}, {"token": ("ops",)})


@pytest.mark.parametrize("roles", [(), ("user",), ("dev", "ops")])
def test_what_names_no_role_is_everybodys(roles: tuple[str, ...]) -> None:
    assert EVERYBODYS.part(SPEC, roles) == SPEC
    assert EVERYBODYS.offer("gpu", roles)
    assert GRANTS.offer("base", roles)


def test_of_what_names_roles_each_has_what_one_of_theirs_has() -> None:
    assert GRANTS.part(SPEC, ("user",)) == replace(SPEC, mounts=(), secrets=("key",))
    assert GRANTS.part(SPEC, ("dev",)) == replace(SPEC, secrets=("key",))
    assert GRANTS.part(SPEC, ("user", "ops")) == replace(SPEC, mounts=())
    assert [GRANTS.offer("gpu", (role,)) for role in ("user", "dev", "ops")] == [False, True, True]


def test_the_operator_who_prepares_them_has_all() -> None:
    assert GRANTS.offer("gpu", ("operator",))
    assert GRANTS.part(SPEC, ("operator",)) == SPEC


def test_a_session_with_what_its_callers_role_has_not_is_not_theirs_to_use() -> None:
    GRANTS.demand(SPEC, ("dev", "ops"), "work")
    GRANTS.demand(GRANTS.part(SPEC, ("user",)), ("user",), "work")
    with pytest.raises(NotGranted, match="session work has what your role has not"):
        GRANTS.demand(SPEC, ("dev",), "work")
    with pytest.raises(NotGranted):
        GRANTS.demand(replace(SPEC, environment="gpu", mounts=(), secrets=()), ("user",), "work")
