"""Connections on which nobody has shown a good token yet: they leave room for those on which somebody has.

Connections cost nothing, so whoever wants to can open more than a server has. Who has a token sends it at once and is no
stranger after that; of the others the one that has been there for longest gives way.
"""

from collections.abc import Collection
from ipaddress import ip_address, ip_network
from typing import Final, Protocol

MOST: Final = 1_000  # of 2,000 connections; the other half is for who has a token
MOST_OF_ONE: Final = 256  # address


class Connection(Protocol):
    @property
    def is_known(self) -> bool:
        """Whether a good token came over it."""
        ...

    def close(self) -> None: ...


class Strangers:
    """`proxies`: addresses and networks behind which many people are, so that only the bound on all holds there."""

    def __init__(self, proxies: Collection[str] = (), most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._proxies = [ip_network(proxy) for proxy in proxies]
        self._most, self._most_of_one = most, most_of_one
        self._all = dict[Connection, str]()  # the oldest first
        self._of = dict[str, dict[Connection, None]]()

    def enter(self, connection: Connection, address: str) -> None:
        """It has just been made. Where that is one too many, another is closed."""
        self._all[connection] = address
        mine = self._of.setdefault(address, {})
        mine[connection] = None
        if len(mine) > self._most_of_one and not self._is_proxy(address):
            self._make_room(list(mine), len(mine) - self._most_of_one)
        if len(self._all) > self._most:
            self._make_room(list(self._all), len(self._all) - self._most)

    def leave(self, connection: Connection) -> None:
        """It has ended, or is no stranger's any more."""
        address = self._all.pop(connection, None)
        if address is None:
            return
        del self._of[address][connection]
        if not self._of[address]:
            del self._of[address]

    def _make_room(self, oldest_first: list[Connection], places: int) -> None:
        for connection in oldest_first:
            if places <= 0:
                return
            self.leave(connection)
            places -= 1
            if not connection.is_known:
                connection.close()

    def _is_proxy(self, address: str) -> bool:
        return any(ip_address(address) in proxy for proxy in self._proxies)
