"""Who is let in, for how long, and what a browser has to show for what it sends."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from server.asks import Caller
from server.front.page.entrance import (
    LINK_S,
    MOST_LINKS,
    MOST_VISITS,
    OPERATOR,
    VISIT_S,
    Admitted,
    Entrance,
    Viewer,
    is_same,
)

pytestmark = [pytest.mark.anyio, pytest.mark.promise("page.theirs")]
ANN = Caller("sandgate|ann", ("user",))


class Tokens:
    """Who is known, and a clock that a test sets."""

    def __init__(self) -> None:
        self.known, self.now = {"good": ANN}, 1000.0

    async def verify(self, token: str) -> Caller | None:
        return self.known.get(token)

    def entrance(self, *origins: str) -> Entrance:
        return Entrance(self.verify, origins, lambda: self.now)


def request(cookie: str = "", scheme: str = "http", **headers: str) -> Request:
    given = {"host": "gate.test:8765", **headers, **({"cookie": cookie} if cookie else {})}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    return Request(
        {"type": "http", "method": "GET", "scheme": scheme, "path": "/", "query_string": b"", "headers": raw}
    )


def cookie_of(entrance: Entrance, admitted: Admitted | None, scheme: str = "http") -> str:
    """As the browser sends it back."""
    assert admitted is not None
    response = Response()
    entrance.set_cookie(request(scheme=scheme), response, admitted.cookie)
    return response.headers["set-cookie"].split(";")[0]


async def test_a_cookie_stands_for_the_token_for_as_long_as_that_is_good() -> None:
    tokens = Tokens()
    entrance = tokens.entrance()
    cookie = cookie_of(entrance, await entrance.sign_in("good"))

    seen = await entrance.viewer(request(cookie))
    assert seen is not None
    assert seen.caller == ANN
    assert seen.form
    tokens.known["good"] = Caller(ANN.id, ("user", "approver"))
    promoted = await entrance.viewer(request(cookie))
    assert promoted is not None
    assert promoted.answers
    tokens.known.clear()
    assert await entrance.viewer(request(cookie)) is None
    assert await entrance.sign_in("good") is None


async def test_signing_out_and_time_end_a_visit() -> None:
    tokens = Tokens()
    entrance = tokens.entrance()
    first, second = [cookie_of(entrance, await entrance.sign_in("good")) for _ in range(2)]

    entrance.sign_out(request(first))
    assert await entrance.viewer(request(first)) is None
    tokens.now += VISIT_S - 1
    assert await entrance.viewer(request(second)) is not None
    tokens.now += 1
    assert await entrance.viewer(request(second)) is None


async def test_a_link_lets_one_browser_in_once_as_the_operator() -> None:
    entrance = Tokens().entrance()
    key = entrance.link()

    cookie = cookie_of(entrance, entrance.use_link(key))
    seen = await entrance.viewer(request(cookie))
    assert seen is not None
    assert seen.caller == OPERATOR
    assert entrance.use_link(key) is None
    assert entrance.use_link("") is None


async def test_a_link_grows_old_and_the_oldest_of_many_gives_way() -> None:
    tokens = Tokens()
    entrance = tokens.entrance()
    old = entrance.link()
    tokens.now += LINK_S
    assert entrance.use_link(old) is None
    keys = [entrance.link() for _ in range(MOST_LINKS + 1)]
    assert entrance.use_link(keys[0]) is None
    assert entrance.use_link(keys[1]) is not None


async def test_visits_are_bounded_and_one_callers_sign_nobody_else_out() -> None:
    tokens = Tokens()
    tokens.known |= {f"t{number}": Caller(f"sandgate|{number}", ("user",)) for number in range(MOST_VISITS)}
    entrance = tokens.entrance()
    other = cookie_of(entrance, await entrance.sign_in("t0"))
    first = cookie_of(entrance, await entrance.sign_in("good"))
    for _ in range(MOST_VISITS):
        last = cookie_of(entrance, await entrance.sign_in("good"))
    assert await entrance.viewer(request(first)) is None
    assert await entrance.viewer(request(last)) is not None
    assert await entrance.viewer(request(other)) is not None
    for number in range(MOST_VISITS):
        await entrance.sign_in(f"t{number}")
    assert await entrance.viewer(request(other)) is None


async def test_a_program_comes_with_a_bearer_token_and_a_bad_one_is_not_helped_by_a_cookie() -> None:
    entrance = Tokens().entrance()
    cookie = cookie_of(entrance, await entrance.sign_in("good"))

    seen = await entrance.viewer(request(authorization="Bearer good"))
    assert seen == Viewer(ANN)
    assert await entrance.viewer(request(cookie, authorization="Bearer bad")) is None


@pytest.mark.parametrize(
    ("origin", "scheme", "taken"),
    [
        ("http://gate.test:8765", "http", "yes"),
        ("https://gate.test:8765", "https", "yes"),
        ("https://public.test", "http", "yes"),
        ("http://gate.test:8765", "https", "no"),
        ("http://gate.test", "http", "no"),
        ("http://localhost:8765", "http", "no"),
        ("http://gate.test:8765.evil.test", "http", "no"),
        ("null", "http", "no"),
        (None, "http", "no"),
    ],
)
async def test_a_form_is_taken_from_a_page_of_ours_alone(origin: str | None, scheme: str, taken: str) -> None:
    headers = {} if origin is None else {"origin": origin}
    ours = Tokens().entrance("https://public.test").is_from_here(request(scheme=scheme, **headers))
    assert ours is (taken == "yes")


def test_the_cookie_is_for_this_server_alone_and_over_tls_where_there_is_tls() -> None:
    entrance, other = Tokens().entrance(), Tokens().entrance()
    said = [cookie_of(each, Admitted("v", ANN)).split("=")[0] for each in (entrance, other)]
    response = Response()
    entrance.set_cookie(request(scheme="https"), response, "v")
    head = response.headers["set-cookie"]

    assert said[0] != said[1]
    assert head.startswith("__Host-")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=strict"} <= set(head.split("; "))


def test_nobody_answers_their_own_question_whatever_their_role() -> None:
    chief = Viewer(Caller("sandgate|chief", ("user", "admin", "approver")))
    auditor = Viewer(Caller("sandgate|eve", ("auditor",)))

    assert chief.may_answer(ANN.id)
    assert not chief.may_answer(chief.caller.id)
    assert chief.sees(ANN.id)
    assert auditor.sees(ANN.id)
    assert not auditor.may_answer(ANN.id)
    assert not Viewer(ANN).sees(chief.caller.id)


def test_nothing_is_not_the_same_as_nothing() -> None:
    assert is_same("a", "a")
    assert not is_same("a", "b")
    assert not is_same("", "")
