"""Stands in for an OPA server in a container without a registry: OPA's own engine, behind OPA's own two addresses.

python opa_server.py BUNDLE PORT
"""

import json
import sys
import tarfile
from http.server import ThreadingHTTPServer
from pathlib import Path

from opa_bindings import OpaEngine

from tests.server.judge.oracle import Handler, Oracle, from_engine


class FromFile(Oracle):
    """What the file that `sandgate policy export` wrote holds."""

    def __init__(self, bundle: Path) -> None:
        self._engine = OpaEngine()
        with tarfile.open(bundle) as tar:
            for member in tar:
                content = file.read() if (file := tar.extractfile(member)) else b""
                if member.name.endswith(".rego"):
                    self._engine.add_policy(member.name, content.decode())
                elif member.name.endswith("data.json"):
                    self._engine.add_data(json.loads(content))


if __name__ == "__main__":
    engine = FromFile(Path(sys.argv[1]))
    engine.decide({})  # compiled now, as OPA does before it says that it is healthy
    answers = staticmethod(from_engine(engine))
    handler = type("Serving", (Handler,), {"answers": answers, "healthy": True, "seen": []})
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), handler).serve_forever()
