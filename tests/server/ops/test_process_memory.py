"""Memory as the kernel counts it, of processes that have some."""

import os

from server.ops.process_memory import charged_mb, parent, peak_mb, resident_mb
from tests.real_engine import client
from tests.waiting import until


def test_a_process_has_what_it_took_and_keeps_its_peak() -> None:
    taken = bytearray(64 << 20)
    with_it = resident_mb(os.getpid())
    del taken

    assert with_it > 64
    assert resident_mb(os.getpid()) < with_it - 32  # the kernel counts in batches
    assert peak_mb(os.getpid()) > with_it - 32


def test_a_process_has_a_parent() -> None:
    assert parent(os.getpid()) == os.getppid()


def test_a_container_is_charged_for_what_is_in_it_and_not_for_what_may_be_dropped() -> None:
    with client() as api:
        host = api.create_host_config(network_mode="none")
        script = "import time; kept = b'x' * (32 << 20); open('/tmp/f', 'wb').write(kept); print('ready', flush=True); time.sleep(60)"
        made = api.create_container("sandgate/python", ["-c", script], entrypoint=["python3"], host_config=host)["Id"]
        try:
            api.start(made)
            until(lambda: api.logs(made) == b"ready\n", "it did not take its memory")
            charged = charged_mb(int(api.inspect_container(made)["State"]["Pid"]))
        finally:
            api.remove_container(made, force=True, v=True)

    assert 32 < charged < 64
