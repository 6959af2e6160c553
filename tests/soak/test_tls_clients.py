"""What tests/end_to_end/test_tls_clients.py shows of the programs in our Python image, of others, in one made for it."""

import os
import shutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from mcp import Client

from server.sandbox.image_build import build
from tests import foreign
from tests.end_to_end.rig import Home, connected
from tests.end_to_end.shop import HELLO, NO_PROXY, NOTHING, Shop, open_shop, said
from tests.real_engine import engine_url

pytestmark = [pytest.mark.soak, pytest.mark.anyio, pytest.mark.promise("egress.only_gate")]

# dpkg leaves manual pages out, and the JDK's alternatives want their folder; hey is a small program in Go
IMAGE = """
FROM sandgate/node:latest
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; mkdir -p /usr/share/man/man1; \\
    trust=/usr/local/share/ca-certificates/sandgate/bundle.pem; \\
    set --; if [ -s "$trust" ]; then set -- -o "Acquire::https::CaInfo=$trust"; fi; \\
    apt-get "$@" -q update; \\
    apt-get "$@" -q install -y --no-install-recommends wget hey openjdk-21-jdk-headless python3-httpx
"""
JAVA = (
    "import java.net.http.*; public class Get { public static void main(String[] a) throws Exception {"
    " System.out.println(HttpClient.newHttpClient().send(HttpRequest.newBuilder(java.net.URI.create(a[0])).build(),"
    " HttpResponse.BodyHandlers.ofString()).body()); } }"
)
CLIENTS = {
    "wget": "wget -qO- SHOP/hello",
    "httpx": "python3 -c 'import httpx; print(httpx.get(\"SHOP/hello\").text)'",
    "node": "node -e 'fetch(\"SHOP/hello\").then(told => told.text()).then(console.log)'",
    "npm": "cd NEW && npm install --silent --registry SHOP/npm/ brass && node node_modules/brass",
    "go": "hey -n 1 -c 1 SHOP/hello | grep -q '\\[200\\]' && curl -sS SHOP/hello",
    "java": f"cd NEW && echo '{JAVA}' > Get.java && java Get.java SHOP/hello",
    "uv": "UV_NO_CACHE=1 TOOLS/uv pip install -q --index-url SHOP/simple --target NEW brass && python3 NEW/brass.py",
}
DEAF = frozenset({"java", "uv"})  # they bring or keep certificates of their own, which only a variable changes


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[Shop]:
    with open_shop(folder) as made:
        yield made


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    bundle = os.environ.get("CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    build(engine_url(), ["node"], Path(bundle) if bundle else None)
    with foreign.built("clients", IMAGE, network="host") as tag:
        yield tag


@pytest.fixture(scope="module")
def tools(folder: Path) -> Path:
    """A folder with the uv that made this environment."""
    beside = Path(__file__).parents[2] / ".tools/bin"
    found = shutil.which("uv", path=f"{os.environ['PATH']}:{beside}:{Path.home()}/.local/bin:{Path.home()}/.cargo/bin")
    assert found, "scripts/setup finds or installs uv"
    (folder / "tools").mkdir()
    shutil.copy(found, folder / "tools")
    return folder / "tools"


@pytest.fixture(scope="module")
async def client(folder: Path, shop: Shop, image: str, tools: Path, anyio_backend: str) -> AsyncGenerator[Client]:
    settings = f'{shop.settings("clients")}[environments.clients]\nimage = "{image}"\n'
    home = Home(folder, settings=settings, arguments=("--workspace", f"{tools}:ro", "--allow-root-owned"))
    async with connected(home) as made:
        yield made


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("prefix", [pytest.param("", id="as it comes"), pytest.param(NO_PROXY, id="no proxy variable")])
async def test_it_works(client: Client, shop: Shop, tools: Path, name: str, prefix: str) -> None:
    assert HELLO in await said(client, shop, CLIENTS[name].replace("TOOLS", str(tools)), prefix)


@pytest.mark.parametrize("name", sorted(CLIENTS.keys() - DEAF))
async def test_it_works_in_an_empty_environment(client: Client, shop: Shop, name: str) -> None:
    assert HELLO in await said(client, shop, CLIENTS[name], NOTHING)
