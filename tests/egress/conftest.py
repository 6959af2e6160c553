import importlib
import shutil
import warnings
from collections.abc import Iterator

import pytest

from tests.egress.world.town import Town, build

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # mitmproxy calls pyparsing by its old names when imported
    importlib.import_module("mitmproxy.master")


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    built = build(tmp_path_factory.mktemp("town"))
    yield built
    built.gate.close()
    built.secure.close()
    built.plain.close()
    shutil.rmtree(built.folder)
