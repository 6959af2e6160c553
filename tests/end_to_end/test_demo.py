"""The README's first command, as a newcomer runs it after the set-up."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("sandgate"))


def test_the_demo_goes_as_it_says() -> None:
    done = subprocess.run(
        [PROGRAM, "demo"], capture_output=True, text=True, timeout=100, check=False, env=dict(os.environ)
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    last = done.stdout.strip().splitlines()[-1]
    words = last.split()
    assert (words[0], words[2], words[4:]) == ("demo:", "of", ["as", "expected"])
    assert words[1] == words[3]
