import importlib
import warnings
from collections.abc import Iterator

import pytest

from tests.egress.world.town import Town, opened

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # mitmproxy calls pyparsing by its old names when imported
    importlib.import_module("mitmproxy.master")


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Shared by all that leave it as they found it."""
    with opened(tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.fixture(scope="module")
def own_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """For a file that fills, slows or counts it: no other file's business."""
    with opened(tmp_path_factory.mktemp("own")) as made:
        yield made
