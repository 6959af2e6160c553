import pytest

from server.in_clear import in_clear


@pytest.mark.parametrize(
    ("url", "is_so"),
    [
        ("http://collector.test/in", True),
        ("HTTP://COLLECTOR.TEST/in", True),
        ("http://localhost.collector.test", True),
        ("http://127.0.0.1@collector.test", True),
        ("http://127.0.0.1:8181", False),
        ("http://[::1]:8181", False),
        ("http://localhost", False),
        ("https://collector.test/in", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_only_plain_http_to_another_machine_is_read_on_the_way(url: str, *, is_so: bool) -> None:
    assert in_clear(url) is is_so
