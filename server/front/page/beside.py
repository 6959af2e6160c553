"""The page beside a server on stdio: on a port of this machine's own, and only once somebody has asked for it."""

import socket
from typing import Final

import anyio.abc

from server.app import App
from server.front.doorway import Doorway
from server.front.http import Address, OurUvicorn, configured
from server.front.page.made import page_of
from server.settings.http import HttpSettings

HOST: Final = "127.0.0.1"


async def serve_beside(app: App, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Until cancelled. Nobody has a token here: whoever reads a link, which only this user can ask for, is the operator."""
    with socket.create_server((HOST, 0)) as listener:
        address = Address(HOST, listener.getsockname()[1])
        page = page_of(app, None, f"http://{address}")
        door = Doorway(page, hosts=(), origins=(), refused=lambda fields: app.note("auth.refused", fields))
        config = configured(door, HttpSettings(), address)
        config.lifespan = "off"  # it has none, and uvicorn's wait for one ends in a traceback where we are cancelled
        server = OurUvicorn(config)
        task_status.started()  # whoever connects before it accepts waits in the listener's queue
        await server.serve([listener])
