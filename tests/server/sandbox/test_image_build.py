"""Against the real engine. `make test` has built the images; what these tests build lies on top of them or fails early."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from server.sandbox import image_build
from server.sandbox.agent_volume import name_of, tidy
from server.sandbox.apt_lines import Step
from server.sandbox.image_build import (
    BuildFailed,
    ImageMissing,
    ImageOutdated,
    ImageState,
    NothingToBuildOn,
    build,
    current,
    list_images,
    require,
)
from server.sandbox.image_recipe import BUILD_LABEL, NoSuchImage, Recipe, images_dir, recipe
from tests.real_engine import client, engine_url, run
from tests.waiting import PATIENCE_S

SH = "/bin/bash"


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    bundle = os.environ.get("SSL_CERT_FILE")  # as scripts/setup does, so that the two agree on what is current
    build(engine_url(), ca_bundle=Path(bundle) if bundle else None)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Images of a name of their own, that add a file to ours instead of an apt run."""
    for name in ("base", "agent", "tiny"):
        (tmp_path / name).mkdir()
        argument = "DEBIAN" if name == "base" else "BASE"
        start = "agent" if name == "agent" else "base"
        (tmp_path / name / "Dockerfile").write_text(
            f"ARG {argument}\nFROM sandgate/{start}:latest\nCOPY {name}/Dockerfile /made-from\n"
        )
    monkeypatch.setattr(image_build, "recipe", lambda image: _Small(image, recipe(image, tmp_path).files))
    monkeypatch.setattr(image_build, "tidy", lambda *_: None)  # ours is the one that is kept
    yield tmp_path
    with client() as api:
        for tag in ("tiny:latest", "agent:latest", "base:latest"):
            if api.images(f"sandgate-test/{tag}"):
                api.remove_image(f"sandgate-test/{tag}", force=True)
        ours = api.inspect_image("sandgate/agent")["Id"]  # type: ignore[no-untyped-call]  # docker's types leave it out
        tidy(api, name_of(ours))


class _Small(Recipe):
    @property
    def tag(self) -> str:
        return f"sandgate-test/{self.image}:latest"


def tiny(states: list[ImageState]) -> ImageState:
    return next(state for state in states if state.image == "tiny")


def inside(script: str, *, user: str = "0", image: str = "sandgate/python") -> str:
    code, said = run(image, SH, ["-c", script], user=user, network_mode="none", cap_drop=["ALL"])
    assert code == 0, said
    return said


def test_what_is_current_is_not_built_again() -> None:
    steps: list[Step] = []

    states = build(engine_url(), ["python"], on_progress=steps.append)

    assert [(state.image, state.state) for state in states] == [
        (image, "current") for image in ("base", "agent", "python")
    ]
    assert steps == []
    assert current(engine_url(), "python")
    require(engine_url(), "python")


def test_list_names_every_image_of_sandboxes() -> None:
    images = [state.image for state in list_images(engine_url())]

    assert images[0] == "base"
    assert {*images, "egress", "server"} == {
        path.parent.name for path in images_dir().glob("*/Dockerfile")
    }  # which is no sandbox's


def test_a_missing_image_says_what_to_run(small: Path) -> None:
    with pytest.raises(ImageMissing, match="run: sandgate images build tiny"):
        require(engine_url(), "tiny")


def test_without_names_what_was_built_before_is_kept_current(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_build, "known_images", lambda: ("base", "agent", "tiny"))
    monkeypatch.setattr(image_build, "DEFAULT_IMAGES", ("base",))

    assert {state.image for state in build(engine_url())} == {"base", "agent"}
    build(engine_url(), ["tiny"])
    assert {state.image for state in build(engine_url())} == {"base", "agent", "tiny"}


def test_an_image_that_nobody_knows_is_refused_before_anything_is_built() -> None:
    steps: list[Step] = []
    with pytest.raises(NoSuchImage, match="choose from base"):
        build(engine_url(), ["base", "windows"], on_progress=steps.append)
    assert steps == []


def test_a_changed_recipe_is_outdated_until_it_is_built(small: Path) -> None:
    build(engine_url(), ["tiny"])
    (small / "tiny/Dockerfile").write_text("FROM sandgate/base:latest\nRUN echo again >/made-from\n")

    with pytest.raises(ImageOutdated, match="run: sandgate images build"):
        require(engine_url(), "tiny")

    steps: list[Step] = []
    assert tiny(build(engine_url(), ["tiny"], on_progress=steps.append)).seconds > 0
    assert current(engine_url(), "tiny")
    assert steps[0].sentence == "1 to build: tiny"
    assert "step 5 of 5" in [step.sentence for step in steps]
    assert [step.sentence[:9] for step in steps if step.over][1:] == ["built in "]


def test_a_rebuilt_image_leaves_no_nameless_one_behind(small: Path) -> None:
    build(engine_url(), ["tiny"])
    with client() as api:
        before = api.inspect_image("sandgate-test/tiny:latest")["Id"]  # type: ignore[no-untyped-call]  # docker's types leave it out
    (small / "tiny/Dockerfile").write_text("FROM sandgate/base:latest\nRUN echo again >/made-from\n")

    build(engine_url(), ["tiny"])

    with client() as api:
        assert before not in {image["Id"] for image in api.images(all=True)}


def test_a_failing_step_is_one_sentence_with_the_log_beside_it(small: Path) -> None:
    (small / "tiny/Dockerfile").write_text("FROM sandgate/base:latest\nRUN echo a telling line; exit 7\n")

    with pytest.raises(
        BuildFailed, match=r"sandgate/tiny failed: a step ended with code 7; then run: sandgate"
    ) as failed:
        build(engine_url(), ["tiny"])

    assert "a telling line" in failed.value.log


def test_a_full_disk_is_said_with_what_to_do(small: Path) -> None:
    words = "dpkg: error: cannot copy: No space left on device"
    (small / "tiny/Dockerfile").write_text(f"FROM sandgate/base:latest\nRUN echo {words}; exit 100\n")

    with pytest.raises(BuildFailed, match="a step ended with code 100; the disk is full: free some space"):
        build(engine_url(), ["tiny"])


def test_a_proxy_is_for_the_build_and_no_image_keeps_it(small: Path) -> None:
    proxy = {"http_proxy": "http://proxy.example:3128"}
    script = 'test "$http_proxy" = http://proxy.example:3128'
    (small / "tiny/Dockerfile").write_text(f"FROM sandgate/base:latest\nRUN {script}\n")

    build(engine_url(), ["tiny"], proxies=proxy)

    with client() as api:
        image = api.inspect_image("sandgate-test/tiny:latest")  # type: ignore[no-untyped-call]  # docker's types leave it out
        kept = str(image["Config"]) + str(api.history("sandgate-test/tiny:latest"))  # type: ignore[no-untyped-call]
    assert "proxy.example" not in kept.replace(script, "")


def test_images_that_do_not_start_from_one_another_are_built_side_by_side(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, start in (("agent", "agent"), ("tiny", "base")):
        (small / name / "Dockerfile").write_text(f"FROM sandgate/{start}:latest\nRUN true\n")
    both, really = threading.Barrier(2), image_build._build_image

    def build_image(client: docker.APIClient, made: Recipe, *more: Any, **how: Any) -> None:
        if made.image != "base":
            both.wait(PATIENCE_S)  # broken where one is not begun before the other is over
        really(client, made, *more, **how)

    monkeypatch.setattr(image_build, "_build_image", build_image)
    build(engine_url(), ["tiny"])

    assert current(engine_url(), "tiny")


def test_one_that_fails_beside_another_is_told_once_the_other_is_done(small: Path) -> None:
    (small / "agent/Dockerfile").write_text("FROM sandgate/base:latest\nRUN exit 7\n")
    (small / "tiny/Dockerfile").write_text("FROM sandgate/base:latest\nRUN sleep 1\n")

    with pytest.raises(BuildFailed, match="sandgate/agent failed"):
        build(engine_url(), ["tiny"])

    assert current(engine_url(), "tiny")


def test_a_bundle_makes_an_image_anew_and_a_call_without_one_keeps_it(small: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n")
    build(engine_url(), ["tiny"])

    assert tiny(build(engine_url(), ["tiny"], bundle)).seconds > 0
    assert tiny(build(engine_url(), ["tiny"], bundle)).seconds == 0
    assert tiny(build(engine_url(), ["tiny"])).seconds == 0


class Shelf(docker.APIClient):
    """An engine that has some images, beside a registry that answers or does not."""

    def __init__(self, *tags: str, registry: bool) -> None:
        self.tags, self.registry = tags, registry

    def inspect_image(self, image: str) -> dict[str, Any]:
        if image not in self.tags:
            raise docker.errors.ImageNotFound(image)
        return {}

    def pull(self, *_: Any, **__: Any) -> str:
        if not self.registry:
            raise docker.errors.APIError("no such host")
        return ""


@pytest.mark.parametrize(
    ("shelf", "force", "found"),
    [
        (Shelf("debian:trixie-slim", registry=False), False, "debian:trixie-slim"),
        (Shelf("sandgate/debian:trixie", registry=True), False, "sandgate/debian:trixie"),
        (Shelf(registry=True), False, "debian:trixie-slim"),
        (Shelf("sandgate/debian:trixie", registry=True), True, "debian:trixie-slim"),
    ],
)
def test_debian_comes_from_here_or_from_the_registry(shelf: Shelf, found: str, *, force: bool) -> None:
    assert image_build._find_debian(shelf, lambda _: None, force=force) == found


def test_without_a_registry_and_without_mmdebstrap_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(
        NothingToBuildOn, match=r"apt-get install mmdebstrap\), or load debian:trixie-slim into the engine"
    ):
        image_build._find_debian(Shelf(registry=False), lambda _: None, force=False)


def test_a_bundle_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"gone\.pem cannot be read"):
        build(engine_url(), ["base"], tmp_path / "gone.pem")


def test_an_engine_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"The engine at .* failed: .*; `sandgate engine status` says"):
        current(f"unix://{tmp_path}/gone.sock", "base")


def test_the_label_is_the_recipes_digest() -> None:
    with client() as api:
        labels = api.inspect_image("sandgate/python")["Config"]["Labels"]  # type: ignore[no-untyped-call]  # docker's types leave it out

    assert labels[BUILD_LABEL] == recipe("python").digest


@pytest.mark.parametrize("image", ["sandgate/base", "sandgate/python"])
def test_no_file_of_an_image_has_setuid_or_setgid(image: str) -> None:
    assert run(image, "/usr/bin/find", ["/", "-xdev", "-perm", "/6000"], network_mode="none") == (0, "")


def test_the_users_and_the_workspace_are_there() -> None:
    assert inside("id -u agent relay; getent passwd agent | cut -d: -f6; stat -c %u:%g /workspace") == (
        "1000\n1001\n/home/agent\n1000:1000\n"
    )


def test_pip_and_pytest_belong_to_an_environment_of_the_users() -> None:
    script = """cd /tmp && mkdir -p demo && cd demo && printf '%s\\n' '[project]' 'name = "demo"' 'version = "1"' >pyproject.toml
        command -v python pip pytest; test -w "$VIRTUAL_ENV" && echo writable
        printf 'import sys\\ndef test_x(): assert sys.prefix == "/home/agent/.venv"\\n' >test_x.py && pytest -q -p no:cacheprovider"""

    said = inside(script, user="1000").splitlines()

    assert said[:4] == [*(f"/home/agent/.venv/bin/{name}" for name in ("python", "pip", "pytest")), "writable"]
    assert said[-1].startswith("1 passed")


def test_the_usual_data_and_test_packages_are_there_and_a_newer_one_of_the_users_wins() -> None:
    script = "import numpy, pandas, requests, yaml, hypothesis, pytest_cov, xdist; print(pandas.Series([20, 22]).sum())"
    path = "echo 'mine = 1' >$(python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))')/yaml.py; cd / && python -c 'import yaml; print(yaml.mine)'"

    assert inside(f"python -c '{script}'; {path}", user="1000") == "42\n1\n"


def test_node_and_npm_belong_to_the_user() -> None:
    with client() as api:
        if not api.images("sandgate/node"):
            pytest.skip("the node image is built on request: sandgate images build node")
    script = (
        "node -e 'console.log(40 + 2)'; npm config get prefix; test -w $(npm config get prefix)/bin && echo writable"
    )
    program = 'mkdir -p /tmp/p && cd /tmp/p && echo \'{"name": "hi", "version": "1.0.0", "bin": "x.js"}\' >package.json'
    install = (
        "printf '#!/usr/bin/env node\nconsole.log(\"ran\")\n' >x.js && npm install -g --offline . >/dev/null && hi"
    )

    assert inside(f"{script}; {program} && {install}", user="1000", image="sandgate/node").split() == [
        "42",
        "/home/agent/.npm-global",
        "writable",
        "ran",
    ]
    assert run("sandgate/node", "/usr/bin/find", ["/", "-xdev", "-perm", "/6000"], network_mode="none") == (0, "")


def test_what_the_agent_and_people_need_is_installed() -> None:
    needed = "bash git curl jq rg make patch unzip xz file less ps python3 gawk diff find sed grep tar"

    assert (
        inside(f"for each in {needed}; do command -v $each >/dev/null || echo $each; done", image="sandgate/base") == ""
    )
    assert inside("python3 -I -S -c 'import ctypes, json, socket; print(1)'", image="sandgate/base") == "1\n"
    assert (
        inside("ls -A /usr/share/doc /usr/share/man /var/lib/apt/lists | grep -c gz || true", image="sandgate/base")
        == "0\n"
    )
