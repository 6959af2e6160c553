"""The audit as the settings want it, and what is done for it while a server runs."""

import logging
import re
from collections.abc import Callable
from typing import Final

import anyio
import anyio.to_thread

from server.keyring import Keyring
from server.record.audit import Audit
from server.record.chain_file import Rotation
from server.record.export import Export
from server.record.masking import Masking
from server.sandbox.sandbox import MIB
from server.secret_values import at_hand
from server.settings.settings import ENVIRON, Settings

SYNC_EVERY_S: Final = 1.0
DAY_S: Final = 86400.0

log = logging.getLogger("sandgate")
heads = logging.getLogger("sandgate.audit")


def audit_for(settings: Settings, keyring: Keyring) -> Audit:
    """Values of secrets are masked from the first line on, those that a command prints once it has been asked."""
    told = settings.audit
    rotation = Rotation(told.rotate_mb * MIB, told.rotate_days * DAY_S, told.keep_files)
    known = [value for secret in settings.secret if (value := at_hand(secret, ENVIRON))]
    secrets = (lambda: [*known, *keyring.values()]) if settings.secret else None
    masking = Masking(tuple(map(re.compile, told.mask)), secrets)
    return Audit(settings.audit_file, told.fsync, rotation, masking)


async def keep_written(audit: Audit, head_every_s: float, synced: Callable[[], None] = lambda: None) -> None:
    """With fsync = interval, what was written is on the disk a second later, whatever happens to the machine then.

    Now and then the log is told where the chain stands: who rewrites the file later does not hold that log as well.
    """
    heads.setLevel(logging.INFO)
    told, told_at = audit.head, anyio.current_time()
    while True:
        await anyio.sleep(SYNC_EVERY_S)
        try:
            await anyio.to_thread.run_sync(audit.sync)
            synced()
        except OSError:  # what is to be written next meets the same, and does not happen
            log.exception("the audit could not be put on the disk")
        if head_every_s and audit.head != told and anyio.current_time() - told_at >= head_every_s:
            told, told_at = audit.head, anyio.current_time()
            heads.info("audit head %s", told)


def exports_of(settings: Settings, audit: Audit) -> list[Export]:
    """To whom lines are sent as well."""
    if not settings.audit.export:
        return []
    from server.wiring.exporting import exports_for  # noqa: PLC0415 - an HTTP client, which nobody else's start should pay

    return exports_for(settings, audit)


async def send_all(exports: list[Export]) -> None:
    """Until cancelled."""
    async with anyio.create_task_group() as tasks:
        for export in exports:
            tasks.start_soon(export.keep)


async def end_all(exports: list[Export], audit: Audit) -> None:
    """What was recorded is sent as far as that goes quickly."""
    for export in exports:
        await export.catch_up(audit.head.sequence)
