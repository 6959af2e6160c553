"""Ctrl-C before a command has begun ends it without a word, and later as ever."""

import signal
import subprocess
import sys
import threading

import pytest

from server.interrupts import ends_at_once

INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (f"with ends_at_once(): {INTERRUPT}", -signal.SIGINT),
        (f"with ends_at_once(): pass\ntry: {INTERRUPT}\nexcept KeyboardInterrupt: sys.exit(7)", 7),
        (f"signal.signal(signal.SIGINT, signal.SIG_IGN)\nwith ends_at_once(): {INTERRUPT}\nsys.exit(7)", 7),
    ],
    ids=["within", "afterwards", "ignored"],
)
def test_an_interrupt_is_the_end_only_within_and_where_it_is_heard(script: str, code: int) -> None:
    imports = "import os, signal, sys; from server.interrupts import ends_at_once"
    imports += (
        "\nsignal.signal(signal.SIGINT, signal.default_int_handler)"  # where tests run beside a shell, it is ignored
    )
    done = subprocess.run([sys.executable, "-c", f"{imports}\n{script}"], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


def test_a_thread_beside_changes_nothing() -> None:
    before, during = signal.getsignal(signal.SIGINT), list[object]()

    def beside() -> None:
        with ends_at_once():
            during.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=beside)
    thread.start()
    thread.join()
    assert during == [before]
