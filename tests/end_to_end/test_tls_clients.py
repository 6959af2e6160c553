"""Programs as they come, in a sandbox of ours, over TLS to an origin that only the gate believes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client

from tests.end_to_end.rig import Home
from tests.end_to_end.shop import HELLO, NO_PROXY, NOTHING, Shop, open_shop, said

pytestmark = [pytest.mark.anyio, pytest.mark.promise("egress.only_gate")]

# Each prints what the shop says. SHOP is its address, NEW a folder that is there for this one run.
CLIENTS = {
    "curl": "curl -sS SHOP/hello",
    "git": "git clone -q SHOP/brass.git NEW/brass && cat NEW/brass/README",
    "urllib": "python3 -c 'import urllib.request as u; print(u.urlopen(\"SHOP/hello\").read().decode())'",
    "requests": "python3 -c 'import requests; print(requests.get(\"SHOP/hello\").text)'",
    "pip": "pip install -q --disable-pip-version-check --no-cache-dir --index-url SHOP/simple --target NEW brass"
    " && python3 NEW/brass.py",
    "apt": "mkdir -p NEW/lists/partial NEW/cache/archives/partial && cd NEW"
    " && echo 'deb [trusted=yes arch=amd64] SHOP/debian stable main' > sources"
    ' && printf \'Dir::Etc::SourceList "NEW/sources";\\nDir::Etc::SourceParts "/dev/null";\\n'
    'Dir::State::Lists "NEW/lists";\\nDir::Cache "NEW/cache";\\n\' > apt.conf'
    " && export APT_CONFIG=NEW/apt.conf && apt-get -qq update && apt-get -qq download brass && curl -sS SHOP/hello",
}


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[Shop]:
    with open_shop(folder) as made:
        yield made


@pytest.fixture(scope="module")
def home(folder: Path, shop: Shop) -> Home:
    return Home(folder, settings=shop.settings("python"))


@pytest.mark.parametrize("name", CLIENTS)
async def test_it_works_as_it_comes(client: Client, shop: Shop, name: str) -> None:
    assert HELLO in await said(client, shop, CLIENTS[name])


@pytest.mark.parametrize("name", CLIENTS)
async def test_it_works_without_a_proxy_variable(client: Client, shop: Shop, name: str) -> None:
    assert HELLO in await said(client, shop, CLIENTS[name], NO_PROXY)


@pytest.mark.parametrize("name", CLIENTS)
async def test_it_works_in_an_empty_environment(client: Client, shop: Shop, name: str) -> None:
    assert HELLO in await said(client, shop, CLIENTS[name], NOTHING)
