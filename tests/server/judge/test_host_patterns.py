"""Hosts as the rules match them; that the gate means the same is test_egress_differential's business."""

import re

import pytest

from server.judge.host_patterns import BadHost, host_pattern, split


@pytest.mark.parametrize(
    ("text", "kind", "host", "ports"),
    [
        ("Docs.Example", "exact", "docs.example", [80, 443]),
        ("*.docs.example", "under", "docs.example", [80, 443]),
        ("docs.example:8443", "exact", "docs.example", [8443]),
        ("bücher.example", "exact", "xn--bcher-kva.example", [80, 443]),
        ("[::1]:8080", "exact", "::1", [8080]),
        ("[2001:DB8::0:1]", "exact", "2001:db8::1", [80, 443]),
        ("tcp://db.example:5432", "exact", "db.example", [5432]),
    ],
)
def test_an_entry_is_read_once(text: str, kind: str, host: str, ports: list[int]) -> None:
    read = host_pattern(text)
    assert (read["kind"], read["host"], read["ports"]) == (kind, host, ports)
    assert (read["given"], read["asking"]) == (text, {"host": text, "ask": True})
    assert read["raw"] is text.startswith("tcp:")


def test_roles_are_the_policys_business_and_not_the_gates() -> None:
    read = host_pattern({"host": "a.example", "methods": ["get"], "roles": ["dev"]})
    assert read["roles"] == ["dev"]
    assert read["given"] == {"host": "a.example", "methods": ["get"]}
    assert read["methods"] == ["GET"]


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [("/v1/*", "/v1/x", True), ("/v1/*", "/v1/x/y", False), ("/**.js", "/a/b.js", True), ("/a.b", "/axb", False)],
)
def test_a_glob_is_an_expression(glob: str, path: str, *, fits: bool) -> None:
    (pattern,) = host_pattern({"host": "a.example", "paths": [glob]})["paths"]
    assert bool(re.search(pattern, path)) is fits


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("A.example.", ("a.example", 443)),
        ("a.example:80", ("a.example", 80)),
        ("::1", ("::1", 443)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_what_a_person_asks_about_is_read_alike(text: str, read: tuple[str, int]) -> None:
    assert split(text) == read


def test_what_is_no_name_is_said() -> None:
    with pytest.raises(BadHost, match="not an international host name"):
        split("\u2603..example")
