"""What the path does without where nobody gave it more: nothing is prepared, nothing is looked at afterwards."""

import pytest

from server.parts import AsTheyAre
from tests.fakes import SPEC

pytestmark = pytest.mark.anyio


async def _nothing(_: object) -> None: ...


async def test_an_environment_of_nobodys_making_is_ready_as_it_is() -> None:
    assert await AsTheyAre().ready(SPEC, _nothing) == SPEC
