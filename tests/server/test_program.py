"""The console script before it is our code's turn: Ctrl-C is heard by nobody but the system."""

import signal
import subprocess
import sys

from tests.server.test_cli import PROGRAM

INTERRUPTED_WHILE_IMPORTING = """
import os, runpy, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "server.cli":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = ["--help"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_an_interrupt_while_the_words_are_imported_is_the_end_without_one() -> None:
    script = f"import sys; sys.argv[:] = [{PROGRAM!r}]{INTERRUPTED_WHILE_IMPORTING}"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")
