from typing import Any

import pytest

from egress.setup import Setup


def test_what_is_not_said_is_closed_and_believes_the_system() -> None:
    setup = Setup.parse({})

    assert (setup.upstream_ca, setup.listed, setup.hosts, setup.learning) == (None, (), {}, False)


def test_a_proxy_is_a_host_and_a_port() -> None:
    assert [str(Setup.parse({"proxy": text}).proxy) for text in ("", "Proxy.test:3128", "[::1]")] == [
        "None",
        "proxy.test:3128",
        "[::1]:80",
    ]


def test_names_are_taken_as_requests_will_say_them() -> None:
    setup = Setup.parse({"networks": ["10.0.0.0/8"], "resolve": {"A.test": "10.0.0.1"}, "mode": "learn"})

    assert [str(network) for network in setup.listed] == ["10.0.0.0/8"]
    assert str(setup.hosts["a.test"]) == "10.0.0.1"
    assert setup.learning


@pytest.mark.parametrize(
    "told",
    [
        {"networks": ["10.0.0.1/8"]},
        {"resolve": {"a.test": "b.test"}},
        {"resolve": {"a..test": "10.0.0.1"}},
        {"mode": "open"},
        {"limits": {"connections": 0}},
        {"proxy": "user@proxy.test:3128"},
        {"proxy": "http://proxy.test"},
    ],
    ids=str,
)
def test_what_cannot_be_followed_is_an_error(told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Setup.parse(told)
