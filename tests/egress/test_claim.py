from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.claim import Claim
from egress.destination import Destination
from egress.refusal import Refused

TUNNEL = Destination("a.test", 443)
GOOD = Claim(scheme="https", method="GET", path="/x?y", http2=False, hosts=("a.test",), tunnel=TUNNEL, sni="a.test")
PLAIN = Claim(scheme="http", method="GET", path="/", http2=False, hosts=("a.test",), url=("a.test", 80))
H2 = replace(GOOD, http2=True, hosts=(), authority="a.test")


@pytest.mark.parametrize(
    "claim", [GOOD, H2, replace(GOOD, sni=None), replace(GOOD, hosts=("A.Test.:443",)), replace(H2, hosts=("a.test",))]
)
def test_what_agrees_in_a_tunnel_goes_where_the_tunnel_goes(claim: Claim) -> None:
    assert claim.destination() == TUNNEL


def test_a_plain_request_goes_where_its_url_says() -> None:
    assert PLAIN.destination() == Destination("a.test", 80)


DISAGREE = {
    "host": replace(GOOD, hosts=("b.test",)),
    "port": replace(GOOD, hosts=("a.test:8443",)),
    "no host": replace(GOOD, hosts=()),
    "empty host": replace(H2, authority=""),
    "sni": replace(GOOD, sni="b.test"),
    "authority": replace(H2, authority="b.test"),
    "authority and host": replace(H2, hosts=("b.test",)),
    "url": replace(PLAIN, url=("b.test", 80)),
    "http on a tls port": replace(GOOD, scheme="http", sni=None),
}
SHAPES = {
    "method with a zero byte": replace(GOOD, method="GE\0T"),
    "method that is no token": replace(GOOD, method="G@T"),
    "trace in small letters": replace(GOOD, method="trace"),
    "another version than is spoken": replace(GOOD, misversioned=True),
    "absolute form": replace(GOOD, authority="a.test"),
    "two hosts": replace(GOOD, hosts=("a.test", "a.test")),
    "trace": replace(GOOD, method="TRACE"),
    "connect": replace(GOOD, method="CONNECT"),
    "preface": replace(GOOD, method="PRI"),
    "https outside a tunnel": replace(PLAIN, scheme="https"),
    "path": replace(GOOD, path="x"),
    "space in the path": replace(GOOD, path="/a b"),
    "fragment": replace(GOOD, path="/open/..#/x"),
    "two codings": replace(GOOD, fields=((b"Transfer-Encoding", b"gzip, chunked"),)),
    "length beyond counting": replace(GOOD, fields=((b"Content-Length", b"9" * 19),)),
    "no target": replace(PLAIN, url=None),
    "upgrade": replace(GOOD, upgrade="raw"),
    "two upgrades": replace(GOOD, upgrade="websocket, raw"),
    "h2c": replace(GOOD, upgrade="h2c", h2c=True),
    "upgrade in http2": replace(H2, upgrade="websocket"),
}
BAD = {
    "host": replace(GOOD, hosts=("a b",)),
    "sni": replace(GOOD, sni="a..b"),
    "url": replace(PLAIN, url=("127.1", 80)),
}


@pytest.mark.promise("egress.names_agree")
@pytest.mark.parametrize(
    ("claim", "rule"),
    [*((claim, "egress.mismatch") for claim in DISAGREE.values()), *((claim, "egress.protocol") for claim in SHAPES.values()), *((claim, "egress.bad_name") for claim in BAD.values())],
    ids=[*DISAGREE, *SHAPES, *(f"bad {name}" for name in BAD)],
)  # fmt: skip
def test_what_does_not_agree_is_refused(claim: Claim, rule: str) -> None:
    with pytest.raises(Refused) as caught:
        claim.destination()

    assert caught.value.refusal.rule == rule


@pytest.mark.promise("egress.names_agree")
@given(
    st.lists(st.text(max_size=12), max_size=3),
    st.text(max_size=12),
    st.none() | st.text(max_size=12),
    st.text(max_size=8),
    st.booleans(),
)
def test_whatever_is_claimed_it_goes_to_the_tunnels_host_or_nowhere(
    hosts: list[str],
    authority: str,
    sni: str | None,
    path: str,
    http2: bool,  # noqa: FBT001  drawn by hypothesis
) -> None:
    claim = Claim("https", "GET", f"/{path}", http2, tuple(hosts), authority, TUNNEL, None, sni)
    try:
        assert claim.destination() == TUNNEL
    except Refused:
        return
