"""What `sandgate doctor` asks of our own parts: the policy, the audit, the clock, the disk, the versions."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from policy.verdict import Allow, Deny
from server.judge.rego_tests import run_tests
from server.ops.check import Check, fail, ok, warn
from server.ops.policy import verdict_of
from server.record.audit import Audit, AuditFailed
from server.record.chain import BrokenChain
from server.record.database import DatabaseUnusable
from server.record.reading import verify
from server.record.snapshot_rows import SnapshotRows
from server.sandbox.sandbox import MIB
from server.settings.settings import Settings
from server.wiring.judges import BUNDLE_DIR

HARMLESS, HARMFUL = "ls -l", "sudo id"
_DRIFT_S: Final = 2.0  # tokens and certificates are judged by minutes; an engine in a VM that slept is off by hours
_SCARCE_BYTES, _FEW_BYTES = 1024 * MIB, 5120 * MIB
_LONG_AUDIT: Final = 256 * MIB  # measured: 1.5 s; a longer one is not read while somebody waits


def policy(settings: Settings) -> Iterator[Check]:
    """The rules' own tests, then one question each way, asked of the engine that the settings name."""
    fix = "Install Sandgate again; where [policy] names rules of your own, see `sandgate policy test`."
    if settings.policy.opa_url:
        fix = f"See that OPA answers at {settings.policy.opa_url}/health, with what `sandgate policy export` writes."
    results = run_tests(BUNDLE_DIR)
    failed = [result.name for result in results if not result.passed]
    if failed or not results:
        yield fail("policy_tests", f"{len(failed)} of {len(results)} tests of the rules fail: {failed[:3]}.", fix)
    else:
        yield ok("policy_tests", f"All {len(results)} tests of the rules pass.")
    yes, no = verdict_of(settings, HARMLESS), verdict_of(settings, HARMFUL)
    if not isinstance(yes, Allow):
        yield fail("policy_answers", f"{HARMLESS!r} is not allowed: {yes.rules[0].reason if yes.rules else ''}", fix)
    elif isinstance(no, Deny):
        yield ok("policy_answers", f"{HARMLESS!r} is allowed; {HARMFUL!r} is denied by {no.rules[0].id}.")
    elif settings.policy.profile == "open":
        yield warn(
            "policy_answers",
            f"{HARMFUL!r} is not denied: the profile is open.",
            'Set profile = "standard" in [policy].',
        )
    else:
        yield fail("policy_answers", f"{HARMFUL!r} is not denied.", fix)


def database(settings: Settings) -> Check:
    """Without it no server starts; one that is not there is made."""
    try:
        kept = len(SnapshotRows(settings.database).all())
    except DatabaseUnusable as error:
        return fail("database", f"{error.what}.", f"{error.mend[:1].upper()}{error.mend[1:]}.")
    return ok("database", f"{settings.database} can be used; {kept} snapshots and kept sessions stand in it.")


def audit(settings: Settings) -> Iterator[Check]:
    """Writes one line, then walks the chain."""
    path = settings.audit_file
    try:
        written = Audit(path, "always")
        written.write("server.examined", {"version": version("sandgate")})
        written.close()
        yield ok("audit_writable", f"A line was written to {path} and is on the disk.")
    except AuditFailed as error:
        yield fail(
            "audit_writable",
            f"{str(error)[:1].upper()}{str(error)[1:]}.",
            "Make room, or give yourself the right to write there.",
        )
        return
    if (size := path.stat().st_size) > _LONG_AUDIT:
        yield ok("audit_chain", f"{size // MIB} MB were not read through now; `sandgate audit verify` does it.")
        return
    try:
        found = verify(path)
        yield ok("audit_chain", f"{found.count} lines, an unbroken chain; its head is {found.head.digest[:16]}.")
    except BrokenChain as error:
        yield fail(
            "audit_chain",
            f"The audit is not whole: {error}.",
            f"Find out who changed it; then move {path.parent} away, and a new one begins.",
        )


def clock(info: Mapping[str, Any], last: float, now: float) -> Check:
    """`info`: the engine's own; `last`: when the audit was last written; all in seconds since 1970."""
    fix = "Let the clock be set by the network: `timedatectl set-ntp true`; restart an engine whose VM slept."
    drift = abs(_seconds(info.get("SystemTime"), now) - now)
    if last > now + _DRIFT_S:
        return fail("clock", f"The clock is {last - now:.0f} s before the audit's last line: it was set back.", fix)
    if drift > _DRIFT_S:
        return warn("clock", f"The engine's clock and this machine's are {drift:.0f} s apart.", fix)
    return ok("clock", f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC, as the engine has it.")


def disk(places: Mapping[str, Path]) -> Iterator[Check]:
    """`places`: what is kept where. Folders that are not there yet count by the one above."""
    for name, place in places.items():
        there = next(folder for folder in (place, *place.parents) if folder.exists())
        free = shutil.disk_usage(there).free
        sentence = f"{free / 1e9:.1f} GB are free for {name} ({place})."
        fix = "Make room: `sandgate images prune`, `sandgate snapshots list`, `docker system df`."
        if free < _SCARCE_BYTES:
            yield fail(f"room_{name}", f"Only {sentence} Sandboxes are stopped to keep it.", fix)
        elif free < _FEW_BYTES:
            yield warn(f"room_{name}", f"Only {sentence}", fix)
        else:
            yield ok(f"room_{name}", sentence)


def versions() -> Check:
    return ok("version", f"Sandgate {version('sandgate')} on Python {sys.version.split()[0]} ({sys.prefix}).")


def last_written(path: Path) -> float:
    """When the audit was last appended to; 0 where there is none."""
    return path.stat().st_mtime if path.exists() else 0.0


def _seconds(told: object, otherwise: float) -> float:
    try:
        return datetime.fromisoformat(str(told)).timestamp()
    except ValueError:
        return otherwise


def gate_elsewhere(at: Path) -> Check:
    """A gate that is a container of its own hears one server and nobody beside it, so it is looked for and not tried."""
    if not at.parent.is_dir():
        return fail(
            "gate_elsewhere",
            f"No gate waits at {at}: there is no such folder.",
            "Mount the folder where it waits, as examples/compose does, or take egress.gate out of the settings.",
        )
    if at.is_socket():
        return ok("gate_elsewhere", f"A gate waits at {at} for a server.")
    return ok("gate_elsewhere", f"Nobody waits at {at}: a server has called it. gate_* was tried with one of our own.")
