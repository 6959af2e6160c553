"""`sandgate engine ensure|status|stop` as a person runs them; engine_setup.py knows how."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from server.ops import engine_setup
from server.settings.files import load
from server.settings.settings import ENVIRON, HOME


def ensure(arguments: argparse.Namespace) -> int:
    engine_setup.ensure(ENVIRON, HOME, _state(arguments))
    return 0


def status(arguments: argparse.Namespace) -> int:
    found = engine_setup.status(ENVIRON, HOME, _state(arguments))
    if arguments.json:
        print(json.dumps({"engine": asdict(found.engine) if found.engine else None, "sentence": found.sentence}))
    else:
        print(found.sentence)
    return 0 if found.engine else 1


def stop(arguments: argparse.Namespace) -> int:
    if not engine_setup.stop(_state(arguments)):
        print("no engine of ours is running")
    return 0


def _state(arguments: argparse.Namespace) -> Path:
    return load(arguments.config).state_dir
