from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.allowlist import Allowlist, BadEntry
from egress.destination import Destination


def why_not(entries: list[Any], host: str, port: int = 443, method: str = "GET", path: str = "/") -> str | None:
    return Allowlist.parse(entries).why_not(Destination(host, port), method, path)


def test_a_host_is_allowed_on_the_web_ports_alone() -> None:
    assert why_not(["example.com"], "example.com", 443) is None
    assert why_not(["example.com"], "example.com", 80) is None
    assert (
        why_not(["example.com"], "example.com", 8443)
        == "example.com:8443 is not allowed here: `example.com` allows port 443 or 80, not 8443."
    )


def test_a_port_replaces_the_web_ports() -> None:
    assert why_not(["example.com:8443"], "example.com", 8443) is None
    assert why_not(["example.com:8443"], "example.com", 443) is not None


def test_a_star_is_any_subdomain_and_not_the_apex() -> None:
    assert why_not(["*.example.com"], "a.example.com") is None
    assert why_not(["*.example.com"], "a.b.example.com") is None
    assert "subdomains, not example.com itself" in (why_not(["*.example.com"], "example.com") or "")


@pytest.mark.parametrize("host", ["badexample.com", "example.com.evil.test", "com", "xexample.com"])
def test_a_pattern_is_anchored_at_both_ends(host: str) -> None:
    assert why_not(["*.example.com", "example.com"], host) is not None


def test_a_refusal_names_the_nearest_miss() -> None:
    assert "`*.example.com` would allow this one" in (why_not(["example.com"], "www.example.com") or "")
    assert "allows GET, not POST" in (why_not([{"host": "a.test", "methods": ["get"]}], "a.test", method="POST") or "")
    assert "addresses are allowed only where" in (why_not(["a.test"], "8.8.8.8") or "")


def test_entries_for_one_host_add_up() -> None:
    entries = [
        {"host": "a.test", "methods": ["GET"]},
        {"host": "a.test", "methods": ["POST"], "paths": ["/api/*"]},
        "*.test.example",
    ]

    assert why_not(entries, "a.test", method="GET", path="/x") is None
    assert why_not(entries, "a.test", method="POST", path="/api/x") is None
    assert why_not(entries, "a.test", method="POST", path="/x") is not None


@pytest.mark.parametrize(
    ("pattern", "path", "admitted"),
    [
        ("/api/*", "/api/x", True), ("/api/*", "/api/x/y", False), ("/api/**", "/api/x/y", True), ("/api", "/api/", False),
        ("/a.b", "/aXb", False), ("/**", "/anything/at/all", True), ("/api/**", "/api/../x", False), ("/api/**", "/api/..", False),
        ("/api/**", "/api/%2e%2e/x", False), ("/api/**", "/api/a%2fb", False), ("/api/**", "/api//x", False), ("/api/**", "/api/..;/x", False),
        ("/api/**", "/api/a\\b", False), ("/api/**", "/api/.hidden", True), ("/api/**", "/api/./x", False),
    ],
)  # fmt: skip
def test_paths_are_matched_as_they_will_be_looked_up(pattern: str, path: str, *, admitted: bool) -> None:
    assert (why_not([{"host": "a.test", "paths": [pattern]}], "a.test", path=path) is None) is admitted


NONSENSE = [
    "*", "*.", "*.com", "*.*.com", "a.*.com", "foo*.com", "", " ", "https://example.com", "example.com/path", "example.com:", "example.com:0",
    "example.com:x", "example.com:443:1", "127.1", "*.10.0.0.1", "*.[::1]", "exa mple.com", 7, None, ["example.com"], {}, {"host": 1},
    {"host": "a.test", "method": ["GET"]}, {"host": "a.test", "methods": "GET"}, {"host": "a.test", "methods": ["G T"]},
    {"host": "a.test", "paths": ["api"]}, {"host": "a.test", "paths": ["/a?b"]}, {"host": "*.com", "paths": ["/a"]},
]  # fmt: skip


@pytest.mark.parametrize("entry", NONSENSE, ids=str)
def test_an_entry_that_cannot_be_meant_is_refused_in_one_sentence(entry: Any) -> None:
    with pytest.raises(BadEntry) as caught:
        Allowlist.parse([entry])

    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_addresses_are_allowed_where_they_are_listed() -> None:
    assert why_not(["192.0.2.1:8080", "[2001:db8::1]:8080"], "192.0.2.1", 8080) is None
    assert why_not(["[2001:db8::1]:8080"], "2001:db8::1", 8080) is None
    assert why_not(["[2001:db8::1]"], "2001:db8::1", 443) is None


LABELS = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
HOSTS = st.lists(LABELS, min_size=2, max_size=5).map(".".join)


@given(HOSTS, st.lists(HOSTS, max_size=4))
def test_a_host_is_allowed_exactly_where_some_entry_means_it(host: str, listed: list[str]) -> None:
    entries = [*listed, *(f"*.{name}" for name in listed[:2])]
    meant = host in listed or any(host.endswith(f".{name}") for name in listed[:2])

    assert (why_not(entries, host) is None) is meant


@given(
    st.recursive(
        st.none() | st.text(max_size=20) | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    )
)
def test_whatever_an_entry_is_it_is_read_or_refused(entry: Any) -> None:
    try:
        Allowlist.parse([entry])
    except BadEntry:
        return


def test_a_raw_entry_admits_its_own_host_and_port_unread_and_nothing_of_http() -> None:
    allow = Allowlist.parse(["tcp://DB.test:5432"])

    assert allow.passes_raw(Destination("db.test", 5432))
    assert not allow.passes_raw(Destination("db.test", 5433))
    assert allow.admits_port(Destination("db.test", 5432))
    assert allow.why_not(Destination("db.test", 5432), "GET", "/")


@pytest.mark.parametrize("entry", ["tcp://db.test", "tcp://*.db.test:5432", "tcp://db.test:0", "tcp://db.test:5432/x"])
def test_a_raw_entry_names_one_host_and_port(entry: str) -> None:
    with pytest.raises(BadEntry):
        Allowlist.parse([entry])


def test_an_entry_that_asks_admits_nothing_and_is_not_shown_as_allowed() -> None:
    listed = Allowlist.parse(["a.test", {"host": "*.b.test", "ask": True, "methods": ["GET"]}])
    inside = Destination("x.b.test", 443)

    assert listed.why_not(inside, "GET", "/") is not None
    assert not listed.admits_port(inside)
    assert listed.texts == ("a.test",)
    assert listed.asks_about(inside, "GET", "/")
    assert not listed.asks_about(inside, "POST", "/")
    assert not listed.asks_about(Destination("b.test", 443), "GET", "/")
    assert not listed.asks_about(Destination("x.b.test", 8443), "GET", "/")


@pytest.mark.parametrize("host", ["a.test", "deep.er.test"])
def test_a_star_alone_asks_about_every_name(host: str) -> None:
    assert Allowlist.parse([{"host": "*", "ask": True}]).asks_about(Destination(host, 443), "GET", "/")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_and_about_no_address(host: str) -> None:
    assert not Allowlist.parse([{"host": "*", "ask": True}]).asks_about(Destination(host, 443), "GET", "/")


@pytest.mark.parametrize(
    "entry", ["*", {"host": "*"}, {"host": "tcp://a.test:1", "ask": True}, {"host": "a.test", "ask": 1}]
)
def test_only_what_asks_may_mean_every_name_and_it_asks_about_http_alone(entry: Any) -> None:
    with pytest.raises(BadEntry):
        Allowlist.parse([entry])
