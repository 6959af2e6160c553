"""Who looks at the page: a browser that has shown a token or a one-time link, or a program with a bearer token.

A browser gets a cookie that stands for what it showed. What it showed is looked at again with each request, so a token
that is revoked, or loses a role, loses the page in the same moment.
"""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from server.asks import APPROVER, Caller
from server.settings.http import digest

MOST_VISITS: Final = 1_000  # browsers at once; the one that came longest ago gives way
MOST_OF_ONE: Final = 50  # of one caller, so that nobody signs everybody else out
VISIT_S: Final = 12 * 3600.0
MOST_LINKS: Final = 16  # that nobody has used yet
LINK_S: Final = 300.0

OPERATOR: Final = Caller("operator", ("user", "admin", APPROVER))  # whom only a link from the command line lets in

type Verify = Callable[[str], Awaitable[Caller | None]]


@dataclass(frozen=True, slots=True)
class Viewer:
    """`form` is what each form of this browser's carries; programs, for whom no other page can speak, have none."""

    caller: Caller
    form: str = ""

    @property
    def sees_all(self) -> bool:
        return self.caller.sees_all

    @property
    def answers(self) -> bool:
        return self.caller.answers

    def sees(self, owner: str) -> bool:
        return self.sees_all or owner == self.caller.id

    def may_answer(self, asker: str) -> bool:
        """A caller never answers its own question, whatever its roles."""
        return self.answers and asker != self.caller.id


@dataclass(frozen=True, slots=True)
class _Visit:
    caller: str
    ends: float
    token: str | None  # None: a link of the operator's
    form: str = field(default_factory=lambda: secrets.token_urlsafe(32))


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the browser is given, and for whom that stands."""

    cookie: str
    caller: Caller


class Entrance:
    """`origins`: how browsers call this server besides what their own request says, where a proxy stands before it."""

    def __init__(
        self, verify: Verify, origins: tuple[str, ...] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._verify, self._origins, self._clock = verify, origins, clock
        self._name = f"sandgate-{secrets.token_hex(4)}"  # cookies know no ports: two servers must not share one
        # Looked up by their hashes: how long that takes says nothing of what they were looked up by.
        self._visits: OrderedDict[str, _Visit] = OrderedDict()
        self._links: OrderedDict[str, float] = OrderedDict()

    # --- coming in ---------------------------------------------------------------------------------------------------

    def link(self) -> str:
        """A key that lets one browser in, once, as the operator."""
        key = secrets.token_urlsafe(32)
        self._links[digest(key)] = self._clock() + LINK_S
        while len(self._links) > MOST_LINKS:
            self._links.popitem(last=False)
        return key

    def use_link(self, key: str) -> Admitted | None:
        """None for a key that was used, is too old, or never was."""
        ends = self._links.pop(digest(key), 0.0)
        return self._visit(OPERATOR, None) if ends > self._clock() else None

    async def sign_in(self, token: str) -> Admitted | None:
        """None for a token that is not good."""
        known = await self._verify(token)
        return self._visit(known, token) if known else None

    def _visit(self, caller: Caller, token: str | None) -> Admitted:
        value = secrets.token_urlsafe(32)
        theirs = [key for key, visit in self._visits.items() if visit.caller == caller.id]
        if len(theirs) >= MOST_OF_ONE:
            del self._visits[theirs[0]]
        self._visits[digest(value)] = _Visit(caller.id, self._clock() + VISIT_S, token)
        while len(self._visits) > MOST_VISITS:
            self._visits.popitem(last=False)
        return Admitted(value, caller)

    def sign_out(self, request: Request) -> None:
        self._visits.pop(digest(self._cookie(request)), None)

    # --- being in ----------------------------------------------------------------------------------------------------

    async def viewer(self, request: Request) -> Viewer | None:
        """Who sends this request; None for nobody that is known."""
        if (token := bearer(request)) is not None:
            known = await self._verify(token)
            return Viewer(known) if known else None
        visit = self._visits.get(digest(self._cookie(request)))
        if visit is None or visit.ends <= self._clock():
            return None
        who = OPERATOR if visit.token is None else await self._verify(visit.token)
        return Viewer(who, visit.form) if who else None

    def is_from_here(self, request: Request) -> bool:
        """Whether the form was on a page of ours. A browser always says where a form was; silence is no yes."""
        ours = {f"{request.url.scheme}://{request.headers.get('host', '')}", *self._origins}
        return request.headers.get("origin") in ours

    def set_cookie(self, request: Request, response: Response, value: str) -> None:
        response.set_cookie(
            self._cookie_name(request),
            value,
            max_age=int(VISIT_S) if value else 0,
            secure=self._is_secure(request),
            httponly=True,
            samesite="strict",
        )

    def _cookie(self, request: Request) -> str:
        return request.cookies.get(self._cookie_name(request), "")

    def _cookie_name(self, request: Request) -> str:
        return f"__Host-{self._name}" if self._is_secure(request) else self._name

    def _is_secure(self, request: Request) -> bool:
        return request.url.scheme == "https" or any(origin.startswith("https://") for origin in self._origins)


def bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_same(given: str, known: str) -> bool:
    """Compared in constant time; nothing is the same as nothing."""
    return bool(known) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode())
