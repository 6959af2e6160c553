"""A process that tells of a folder: the agent's own code, which a leader starts as root, and which lowers itself first."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # -I leaves the script's own folder out

import folder
import late  # noqa: F401 - imported for what it imports
import spawn


def main() -> int:
    uid, ruled, verb, root = sys.argv[1:]
    spawn.lower(int(uid), spawn.RULESET if ruled == "ruled" else None)
    return folder.main(verb, root)


if __name__ == "__main__":
    os._exit(main())
