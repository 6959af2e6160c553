import tarfile
from pathlib import Path

import pytest

from server.sandbox.image_recipe import NoSuchImage, context, images_dir, known_images, recipe, seccomp_file

BUNDLE = b"# ours\n-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\nnoise\n-----BEGIN CERTIFICATE-----\nBBB\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\ncut"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("base/Dockerfile", "base/packages.txt", "python/Dockerfile", "agent/Dockerfile", "agent/agent.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_the_images_folder_is_the_checkouts() -> None:
    assert images_dir() == Path(__file__).resolve().parents[3] / "images"
    assert seccomp_file().is_file()


def test_base_is_known_first() -> None:
    assert known_images()[0] == "base"
    assert {"agent", "python"} <= {*known_images()}


def test_an_image_without_a_folder_is_refused() -> None:
    with pytest.raises(NoSuchImage, match="choose from base, agent"):
        recipe("windows")


@pytest.mark.parametrize("changed", ["base/Dockerfile", "base/packages.txt", "python/Dockerfile"])
def test_a_changed_file_changes_the_digest(folder: Path, changed: str) -> None:
    before = recipe("python", folder).digest
    (folder / changed).write_text("other")

    assert recipe("python", folder).digest != before


def test_a_changed_agent_is_another_agents_image_and_no_other(folder: Path) -> None:
    agent, python = recipe("agent", folder).digest, recipe("python", folder).digest
    (folder / "agent/agent.py").write_text("other")

    assert recipe("agent", folder).digest != agent
    assert recipe("python", folder).digest == python


def test_what_is_not_part_of_the_image_does_not_change_the_digest(folder: Path) -> None:
    before = recipe("base", folder).digest
    (folder / "python/Dockerfile").write_text("other")
    (folder / "agent/agent.py").write_text("other")

    assert recipe("base", folder).digest == before


def test_the_context_is_roots(folder: Path) -> None:
    with tarfile.open(fileobj=context(recipe("agent", folder), b"")) as tar:
        modes = {entry.name: (entry.mode, entry.uid) for entry in tar}

    assert modes["agent/agent.py"] == (0o644, 0)
    assert modes["base/Dockerfile"] == (0o644, 0)


def test_the_context_has_a_folder_of_certificates_even_without_any(folder: Path) -> None:
    with tarfile.open(fileobj=context(recipe("base", folder), b"")) as tar:
        assert [entry.name for entry in tar if entry.name.startswith("ca")] == ["ca"]


def test_a_bundle_is_split_into_one_file_a_certificate(folder: Path) -> None:
    with tarfile.open(fileobj=context(recipe("base", folder), BUNDLE)) as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar if entry.name.startswith("ca/")}
        texts = {name: file.read() for name, file in files.items() if file}

    assert set(texts) == {"ca/bundle.pem", "ca/0000.crt", "ca/0001.crt"}
    assert texts["ca/bundle.pem"] == BUNDLE
    assert texts["ca/0001.crt"] == b"-----BEGIN CERTIFICATE-----\nBBB\n-----END CERTIFICATE-----\n"
