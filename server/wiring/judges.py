"""Which judge the settings ask for: the embedded engine with this bundle, or an OPA server that has loaded it."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread

from server.judge.bundle import Bundle, read_bundle
from server.judge.current import CurrentJudge
from server.judge.engine import EngineTrouble
from server.judge.opa_address import BadOpaAddress, OpaAddress
from server.judge.rego import RegoJudge
from server.sandbox.allow_list import entry_name
from server.sandbox.host_code import globs
from server.sandbox.workspaces import place_inside
from server.settings.egress import RAW, EgressSettings
from server.settings.policy import PolicySettings
from server.settings.settings import Settings
from server.shipped import shipped

BUNDLE_DIR = shipped("policy/rego")
PROVE_AFTER_S = 2.0  # of a server's life: by then its client has its list of tools and rarely a first call
ELSEWHERE = ("custom", "opa_url", "opa_ca", "opa_cert", "opa_token_file", "opa_deadline_s")  # not the rules' business

log = logging.getLogger("sandgate")


def policy_data(settings: Settings) -> dict[str, Any]:
    """What operators decide, as the bundle reads it under data.sandgate_config."""
    data = settings.policy.model_dump(mode="json", exclude=set(ELSEWHERE))
    return {
        **data,
        "paths": [*data["paths"], *_protected(settings)],
        "egress": host_entries(settings.egress),
        "hosts": [entry_name(entry).removeprefix(RAW).partition(":")[0] for entry in host_entries(settings.egress)],
    }


def _protected(settings: Settings) -> list[dict[str, Any]]:
    """What a host runs by itself is not written in a folder that it shares with a sandbox."""
    return [
        {"glob": glob, "ops": ["write", "delete"], "effect": "deny"}
        for space in settings.workspace
        if space.mode == "rw"
        for glob in globs(place_inside(space.path))
    ]


def host_entries(egress: EgressSettings) -> list[Any]:
    """The operator's allowlist as the gate reads it."""
    allowed = [
        entry if isinstance(entry, str) else entry.model_dump(mode="json", exclude_defaults=True)
        for entry in egress.allow
    ]
    return [*allowed, *({"host": host, "ask": True} for host in egress.ask)]


def configured_bundle(settings: Settings) -> Bundle:
    """Our rules, the operator's data and their own rules. Raises BundleError."""
    return read_bundle(BUNDLE_DIR, policy_data(settings), settings.policy.custom)


def embedded(settings: Settings, *, at_once: bool = True) -> RegoJudge:
    return RegoJudge(configured_bundle(settings), at_once=at_once)


@asynccontextmanager
async def judging(settings: Settings) -> AsyncGenerator[CurrentJudge]:
    """The judge in force, closed on the way out. Raises BundleError and BadOpaAddress."""
    if settings.policy.opa_url:
        from server.judge.opa import OpaJudge  # noqa: PLC0415 - a third of a second that nobody else's start should pay

        async with OpaJudge(_address(settings.policy.opa_url, settings.policy)) as remote:
            yield CurrentJudge(remote)
    else:
        first = embedded(settings, at_once=False)
        current = CurrentJudge(first)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_prove, first)
                yield current
                tasks.cancel_scope.cancel()
        finally:
            current.close()


async def _prove(judge: RegoJudge) -> None:
    """While nobody waits: a client that has just started a server first asks for its tools."""
    await anyio.sleep(PROVE_AFTER_S)
    try:
        await anyio.to_thread.run_sync(judge.prove)
    except EngineTrouble as trouble:
        log.error("the policy is broken and denies everything: %s", trouble)  # noqa: TRY400 - the sentence says it all


def _address(url: str, policy: PolicySettings) -> OpaAddress:
    try:
        token = policy.opa_token_file.read_text().strip() if policy.opa_token_file else None
    except (OSError, ValueError) as exc:
        raise BadOpaAddress(f"policy.opa_token_file cannot be read: {exc}") from exc
    return OpaAddress(url, policy.opa_ca, policy.opa_cert, token, policy.opa_deadline_s)
