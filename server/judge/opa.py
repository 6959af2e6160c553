"""The judge that asks an OPA server: the same bundle, exported and loaded there, and the same shape of answer here.

opa-python-client carries the question; what it leaves to chance is decided in the thin subclass below: whom TLS trusts,
one attempt, no redirect, a bounded answer. Nothing of a policy is ever uploaded through it. Whatever the server does
that is not a whole decision within the deadline is a deny.
"""

import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self, cast
from urllib.parse import urlsplit

import aiohttp
import anyio
from opa_client.opa_async import AsyncOpaClient

from policy.question import Question
from policy.verdict import Verdict, engine_error
from server.judge.decision import DECISION, HOSTS, REQUEST, HostList, OddDecision, host_list, verdict
from server.judge.opa_address import BadOpaAddress, OpaAddress

log = logging.getLogger("sandgate")

ANSWER_BYTES = 1 << 20  # of a decision; ours have a thousandth of it
QUESTION_BYTES = 32 << 20  # as the embedded engine takes
CONNECTIONS = 64  # at once; a question is a millisecond of the server's time
DEFAULT_PORT = 8181  # where OPA listens unless told otherwise


class OpaTrouble(Exception):
    """The OPA server did not give a decision; the text says what it did instead."""


class _Client(AsyncOpaClient):  # type: ignore[misc]  # the library has no types
    """opa-python-client with its own trust, one attempt, and no redirects: a token never follows one elsewhere."""

    def __init__(self, address: OpaAddress) -> None:
        parts = urlsplit(address.url)
        host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
        super().__init__(
            host=host,
            port=parts.port or DEFAULT_PORT,
            ssl=parts.scheme == "https",
            token=address.token,
            retries=0,
            timeout=address.deadline_s,
        )
        self._context = _trust(address) if self.ssl else None

    async def _init_session(self) -> None:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=self._context or False)
        self._session = aiohttp.ClientSession(
            headers=self.headers, connector=connector, timeout=aiohttp.ClientTimeout(total=self.timeout)
        )

    @asynccontextmanager
    async def _request(self, method: str, url: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        async with self._session.request(method, url, allow_redirects=False, **options) as response:
            yield response

    async def ready(self) -> bool:
        """Whether it is up and has activated every bundle it was configured with."""
        return cast("bool", await self.check_health({"bundles": True}))

    async def ask(self, document: bytes, rule: str) -> Any:
        """The value of a rule (data.sandgate.decision). Raises OpaTrouble, and what aiohttp raises."""
        options = {"data": document, "headers": {"Content-Type": "application/json"}}
        async with self._request("POST", f"{self.root_url}/{rule.replace('.', '/')}", **options) as response:
            if response.status != 200:  # noqa: PLR2004 - the one status with which OPA answers a query
                raise OpaTrouble(f"it answered with HTTP {response.status}{_hint(response.status)}")
            body = b""
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > ANSWER_BYTES:
                    raise OpaTrouble(f"its answer is larger than {ANSWER_BYTES} bytes")
        answer = json.loads(body)
        if not isinstance(answer, dict) or "result" not in answer:
            raise OpaTrouble(f"it has no {rule}; load the bundle that `sandgate policy export` writes")
        return answer["result"]


def _trust(address: OpaAddress) -> ssl.SSLContext:
    """The operator's CA alone where one is given, else the system's."""
    try:
        context = ssl.create_default_context(cafile=address.ca)
        if address.cert is not None:
            context.load_cert_chain(address.cert)
    except (OSError, ssl.SSLError) as exc:
        raise BadOpaAddress(f"policy.opa_ca or policy.opa_cert cannot be used: {exc}") from exc
    return context


def _hint(status: int) -> str:
    if status in (401, 403):
        return "; is policy.opa_token_file the token that its system.authz expects?"
    return "; redirects are not followed" if 300 <= status < 400 else ""  # noqa: PLR2004 - the redirections


class OpaJudge:
    """Decides questions by one OPA server. Enter it on the loop that asks; it holds connections until it is left."""

    def __init__(self, address: OpaAddress) -> None:
        """Raises BadOpaAddress."""
        self._client, self._deadline_s = _Client(address), address.deadline_s
        self._ready = False
        self.looks_at_requests = True  # it may; what it holds is the operator's business
        self.revision = ""  # of its last decision: the server's rules change without us

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.__aexit__(*exc)

    def close(self) -> None:
        """Nothing: whoever entered it leaves it."""

    async def decide(self, question: Question) -> Verdict:
        """The server's verdict; a deny by engine.error where it gives none in time. Never raises."""
        return await self._verdict(question, DECISION)

    async def decide_request(self, question: Question) -> Verdict:
        """The same of a request that leaves a sandbox (UseHost)."""
        return await self._verdict(question, REQUEST)

    async def hosts(self, question: Question) -> HostList | None:
        """What a gate holds for the caller of the question; None where there is no answer in time."""
        try:
            with anyio.fail_after(self._deadline_s):
                return host_list(await self._answer(_asked(question), HOSTS), None)
        except (TimeoutError, OpaTrouble, OddDecision, aiohttp.ClientError, OSError, ValueError) as exc:
            self._ready = False
            log.warning("no list of hosts, so nothing leaves: %s", exc)
            return None

    async def _verdict(self, question: Question, rule: str) -> Verdict:
        try:
            document = _asked(question)
        except (TypeError, ValueError, RecursionError):
            return engine_error("The call holds text or values that cannot be judged.")
        if len(document) > QUESTION_BYTES:
            return engine_error("The call is too large to be judged.")
        try:
            with anyio.fail_after(self._deadline_s):
                found = verdict(await self._answer(document, rule), None)
        except TimeoutError:
            return self._refused(f"it did not answer within {self._deadline_s:g} s")
        except OpaTrouble as trouble:
            return self._refused(str(trouble))
        except (aiohttp.ClientError, OSError) as exc:
            return self._refused(str(exc) or type(exc).__name__)
        except (ValueError, RecursionError):
            return self._refused("its answer is not JSON")
        self.revision = found.revision or self.revision
        return found

    async def _answer(self, document: bytes, rule: str) -> Any:
        """A server that has failed is asked for its health first: one without its bundles answers, but not by them."""
        if not self._ready and not await self._client.ready():
            raise OpaTrouble("it is not ready, or has not loaded its bundles")
        self._ready = True
        return await self._client.ask(document, rule)

    def _refused(self, what: str) -> Verdict:
        self._ready = False
        return engine_error(f"The OPA server gave no decision: {what[:200]}")


def _asked(question: Question) -> bytes:
    """What OPA's data API is sent."""
    return f'{{"input": {question.as_json()}}}'.encode()
