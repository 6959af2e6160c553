import pytest

from egress.paths import BadGlob, Paths


@pytest.mark.parametrize(
    ("glob", "path", "admitted"),
    [("/v1/*", "/v1/a", True), ("/v1/*", "/v1/a/b", False), ("/v1/**", "/v1/a/b", True), ("/a", "/A", False), ("/v1/**", "/v1/../x", False)],
)  # fmt: skip
def test_a_star_is_one_step_and_two_are_any(glob: str, path: str, *, admitted: bool) -> None:
    assert Paths.parse([glob]).admits(path) is admitted


@pytest.mark.parametrize(
    "step",
    ["%252e%252e/", "%25252e%2e/", "..%252f", "%c0%ae%c0%ae/", "..%c0%af", "%e0%80%ae./", "%u002e%u002e/", "..%00/", "..%20/", ".%00./", "..%3b/", "..%23/", "..;/", "..\\", "%ef%bc%8e%ef%bc%8e/", "..\xe2\x88\x95", "..%E2%81%84", "%E2%80%A5/"],
)  # fmt: skip
def test_what_some_server_takes_for_a_step_out_is_no_path_that_was_meant(step: str) -> None:
    assert not Paths.parse(["/open/**"]).admits(f"/open/{step}closed")


@pytest.mark.parametrize(
    "name",
    [".well-known/x", "..foo", "...", "x..y", "a%20b", "100%25", "b%C3%BCcher", "@scope/pkg", ".git/a;v=1", "%7Eme"],
)
def test_dots_and_codes_that_are_a_part_of_a_name_stay_that(name: str) -> None:
    assert Paths.parse(["/open/**"]).admits(f"/open/{name}")


def test_without_globs_every_path_is_meant() -> None:
    assert Paths().admits("/../x")


@pytest.mark.parametrize("glob", ["x", "/a?b", "/a#b", ""])
def test_what_is_no_path_is_an_error(glob: str) -> None:
    with pytest.raises(BadGlob):
        Paths.parse([glob])
