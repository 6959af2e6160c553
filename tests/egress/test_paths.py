import pytest

from egress.paths import BadGlob, Paths


@pytest.mark.parametrize(
    ("glob", "path", "admitted"),
    [("/v1/*", "/v1/a", True), ("/v1/*", "/v1/a/b", False), ("/v1/**", "/v1/a/b", True), ("/a", "/A", False), ("/v1/**", "/v1/../x", False)],
)  # fmt: skip
def test_a_star_is_one_step_and_two_are_any(glob: str, path: str, *, admitted: bool) -> None:
    assert Paths.parse([glob]).admits(path) is admitted


def test_without_globs_every_path_is_meant() -> None:
    assert Paths().admits("/../x")


@pytest.mark.parametrize("glob", ["x", "/a?b", "/a#b", ""])
def test_what_is_no_path_is_an_error(glob: str) -> None:
    with pytest.raises(BadGlob):
        Paths.parse([glob])
