"""`sandgate engine ensure|status|stop` as a person runs them; engine_setup.py knows how."""

import argparse
from pathlib import Path

from server.ops import engine_setup
from server.settings import ENVIRON, HOME
from server.settings_files import load


def ensure(_: argparse.Namespace) -> int:
    engine_setup.ensure(ENVIRON, HOME, _state())
    return 0


def status(_: argparse.Namespace) -> int:
    found = engine_setup.status(ENVIRON, HOME, _state())
    print(found.sentence)
    return 0 if found.engine else 1


def stop(_: argparse.Namespace) -> int:
    if not engine_setup.stop(_state()):
        print("no engine of ours is running")
    return 0


def _state() -> Path:
    return load().state_dir
