"""A real dockerd beside the one that the other tests use: neither may notice the other."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.ops import private_engine
from server.ops.bridge_device import bridge_name, remove_bridge
from server.ops.private_engine import NotStarted, NotStopped, layout, running_pid, start, stop
from server.sandbox.engine import HOST_NETWORK_LABEL, get_json, private_url

needs_dockerd = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("dockerd") is None, reason="a private engine needs root and dockerd"
)


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("e")
    yield folder
    stop(folder, lambda _: None)


@contextmanager
def stand_in(state: Path, behaviour: str = "pass") -> Iterator[subprocess.Popen[bytes]]:
    """A process that carries our data folder among its arguments and waits for a signal."""
    layout(state).folder.mkdir()
    program = f"import signal; {behaviour}; print(flush=True); signal.pause()"
    argv = [sys.executable, "-c", program, "--data-root", str(layout(state).data)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        layout(state).pid_file.write_text(str(process.pid))
        try:
            yield process
        finally:
            process.kill()


def network() -> tuple[str, list[str], str]:
    """What an engine could spoil for another: forwarding, docker0, and the firewall's rules."""
    rules = (
        subprocess.run(["iptables-save"], check=False, capture_output=True, text=True).stdout
        if shutil.which("iptables-save")
        else ""
    )
    kept = "\n".join(line for line in rules.splitlines() if line.startswith("-"))
    return (
        Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        sorted(f"{path.name} {(path / 'flags').read_text().strip()}" for path in Path("/sys/class/net").iterdir()),
        kept,
    )


@needs_dockerd
def test_it_starts_answers_and_ends_and_leaves_the_hosts_network_alone(state: Path) -> None:
    before = network()
    said: list[str] = []

    engine = start(state, os.environ, said.append)
    info = get_json(engine.url, "/info")
    during = network()

    assert engine.source == "the private engine"
    assert info["DockerRootDir"] == str(layout(state).data)
    assert HOST_NETWORK_LABEL in info["Labels"]
    added = [device for device in during[1] if device not in before[1]]
    assert [device.split()[0] for device in added] == [bridge_name(layout(state).folder)]
    assert (during[0], [device for device in during[1] if device not in added], during[2]) == before
    assert start(state, os.environ, said.append) == engine
    assert said == [f"Starting a private engine in {layout(state).folder}"]

    assert stop(state, said.append)
    assert running_pid(state) is None
    assert network() == before
    assert str(state) not in Path("/proc/self/mounts").read_text()
    assert not stop(state, said.append)


@needs_dockerd
def test_an_engine_that_was_killed_is_started_again(state: Path) -> None:
    start(state, os.environ, lambda _: None)
    pid = running_pid(state)
    assert pid is not None
    os.kill(pid, 9)
    os.waitpid(pid, 0)

    assert layout(state).pid_file.exists()
    assert running_pid(state) is None
    start(state, os.environ, lambda _: None)
    assert running_pid(state) not in {None, pid}

    stop(state, lambda _: None)
    assert str(state) not in Path("/proc/self/mounts").read_text()


def test_a_pid_file_that_names_another_process_is_not_believed(state: Path) -> None:
    layout(state).folder.mkdir()
    layout(state).pid_file.write_text(str(os.getpid()))

    assert running_pid(state) is None
    assert not stop(state, lambda _: None)


@pytest.mark.parametrize("text", ["", "many", "4194305"])
def test_a_pid_file_that_names_no_process_is_not_believed(state: Path, text: str) -> None:
    layout(state).folder.mkdir()
    layout(state).pid_file.write_text(text)

    assert running_pid(state) is None


def test_stop_ends_the_process_that_carries_our_data_folder(state: Path) -> None:
    with stand_in(state) as process:
        assert running_pid(state) == process.pid
        assert stop(state, lambda _: None)
        assert process.wait(60) == -signal.SIGTERM


def test_an_engine_that_does_not_end_is_said(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_engine, "_STOP_S", 0.2)

    with (
        stand_in(state, "signal.signal(signal.SIGTERM, signal.SIG_IGN)"),
        pytest.raises(NotStopped, match="has not ended"),
    ):
        stop(state, lambda _: None)


def test_a_folder_too_deep_for_a_socket_is_said_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="choose a shorter state directory"):
        start(tmp_path / ("x" * 90), {}, lambda _: None)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make network devices")
def test_a_dockerd_that_ends_at_once_is_said_with_its_last_words(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dockerd").write_text("#!/bin/sh\necho no cgroups here\nexit 1\n")
    (tmp_path / "dockerd").chmod(0o755)

    with pytest.raises(NotStarted, match=r"no cgroups here \(log: "):
        start(state, {"PATH": str(tmp_path)}, lambda _: None)

    remove_bridge(layout(state).folder)


def test_its_address_is_the_one_that_discovery_tries(state: Path) -> None:
    assert private_url(state) == f"unix://{layout(state).folder}/docker.sock"


@needs_dockerd
def test_on_a_full_disk_it_says_so_and_leaves_no_mount_and_no_bridge(tmp_path_factory: pytest.TempPathFactory) -> None:
    full = tmp_path_factory.mktemp("f")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)], check=True)
    try:
        with pytest.raises(NotStarted, match="dockerd ended at once: the disk is full: free some space"):
            start(full, os.environ, lambda _: None)

        mounts = Path("/proc/self/mounts").read_text()
        assert [line.split()[1] for line in mounts.splitlines() if str(full) in line] == [str(full)]
        assert not (Path("/sys/class/net") / bridge_name(layout(full).folder)).exists()
    finally:
        subprocess.run(["umount", str(full)], check=True)


def test_an_engine_that_could_not_even_write_why_it_ended_had_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").touch()
    assert private_engine._reason(tmp_path / "log") == "it said nothing"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
    assert private_engine._reason(tmp_path / "log").startswith("the disk is full")
