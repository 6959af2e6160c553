"""The machine that a bench ran on, as far as its figures depend on it."""

import datetime as dt
import os
import platform
from pathlib import Path

from server.ops.machine import landlock_abi
from server.sandbox.bare_engine import BareEngine


def facts(bare: BareEngine) -> dict[str, str]:
    """`load` is the load average of the minute before: above 0.5 somebody else was at work."""
    return {
        "cpus": str(os.cpu_count()),
        "cpu": _field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "memory_gb": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f}",
        "system": _field(Path("/etc/os-release"), "PRETTY_NAME", "=").strip('"') or platform.system(),
        "kernel": ".".join(platform.release().split(".")[:2]),  # what follows names a builder, not a kernel
        "landlock": str(landlock_abi()),
        "python": platform.python_version(),
        **bare.facts(),
        "load": f"{os.getloadavg()[0]:.2f}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def _field(file: Path, name: str, sign: str = ":") -> str:
    lines = file.read_text().splitlines() if file.exists() else []
    found = (line.partition(sign) for line in lines)
    return next((value.strip() for key, _, value in found if key.strip() == name), "")
