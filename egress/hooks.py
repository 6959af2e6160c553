"""What the gate's layers tell its addon beside what mitmproxy's own do."""

from dataclasses import dataclass
from typing import ClassVar

from mitmproxy import connection, http
from mitmproxy.proxy.commands import StartHook

from egress.refusal import Refusal


@dataclass
class RequestInvalidHook(StartHook):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    """A request head is of a shape that two programs could read differently; the addon sets the response."""

    flow: http.HTTPFlow


@dataclass
class DialFailedHook(StartHook):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    """The origin of an admitted request was not reached (flow.error says why); the addon sets the response."""

    flow: http.HTTPFlow


@dataclass(frozen=True, slots=True)
class Unread:
    """What a client was told whose bytes were no request head, or too long a one."""

    client: connection.Client
    refusal: Refusal


@dataclass
class UnreadableHook(StartHook):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    """Bytes of a client could not be read as a request head; it was answered and cut."""

    blocking: ClassVar[bool] = False  # type: ignore[misc]  # nothing waits for what the addon does with it
    unread: Unread


@dataclass
class OpenedHook(StartHook):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    """So much of a compressed answer was opened that its reader has to take it first. more: it goes on after that."""

    flow: http.HTTPFlow
    more: bool


@dataclass
class RawEndHook(StartHook):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    """A tunnel that was passed unread is over."""

    flow: http.HTTPFlow
