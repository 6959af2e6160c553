"""How `sandgate serve` ends."""

import subprocess
import sys

import pytest

LEAVE = """
import logging, threading, sys
from server.ops.run import end_without_threads
logging.basicConfig(stream=sys.stderr)
if sys.argv[1] == "busy":
    threading.Thread(target=threading.Event().wait).start()
sys.stdout.write("said ")
end_without_threads(3)
print("and went on")
"""


@pytest.mark.promise("nothing.left")
@pytest.mark.parametrize(("threads", "code", "said"), [("busy", 3, "said "), ("none", 0, "said and went on\n")])
def test_a_thread_that_never_comes_back_does_not_keep_the_process(threads: str, code: int, said: str) -> None:
    ended = subprocess.run([sys.executable, "-c", LEAVE, threads], capture_output=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout.decode()) == (code, said), ended.stderr
