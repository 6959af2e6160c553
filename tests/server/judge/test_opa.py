"""The judge beside an OPA server: the real engine's answers arrive, and whatever else a server does is a deny in time."""

import datetime as dt
import json
import ssl
import threading
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from policy.question import CallerFacts, Question, SessionFacts, UseHost
from policy.verdict import Allow, Ask, Deny, Verdict
from server.judge.opa import ANSWER_BYTES, OpaJudge
from server.judge.opa_address import BadOpaAddress, OpaAddress
from tests.server.judge.judging import asks, command, ids, opens
from tests.server.judge.oracle import Answer, Handler, from_engine, oracle, serving
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]
LIST = asks(command("ls", "-l"))


async def ask(url: str, *, deadline_s: float = PATIENCE_S, ca: Path | None = None, token: str | None = None) -> Verdict:
    async with OpaJudge(OpaAddress(url, ca=ca, token=token, deadline_s=deadline_s)) as judge:
        return await judge.decide(LIST)


@pytest.mark.promise("policy.strictest_wins")
async def test_the_real_engines_decisions_arrive_with_their_revision() -> None:
    with serving(from_engine(oracle())) as (url, _):
        async with OpaJudge(OpaAddress(url, deadline_s=PATIENCE_S)) as judge:
            allowed = await judge.decide(LIST)
            asked = await judge.decide(asks(command("git", "push")))
            denied = await judge.decide(opens("/run/sandgate/control.sock", area="gate"))

    assert isinstance(allowed, Allow)
    assert isinstance(asked, Ask)
    assert isinstance(denied, Deny)
    assert allowed.revision == asked.revision == judge.revision != ""
    assert allowed.access.read == ("/",)


def says(status: int, body: bytes, **headers: str) -> Answer:
    return lambda handler, _: handler.say(status, body, **headers)


def half_an_answer(handler: Handler, _: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "4000")
    handler.end_headers()
    handler.wfile.write(b'{"result": {"effect": "allow"')
    handler.close_connection = True


def endless(handler: Handler, _: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" " * (1 << 16))
    except OSError:
        handler.close_connection = True


ALLOW = {
    "effect": "allow",
    "rules": [],
    "limits": {"timeout_s": None, "output_bytes": None},
    "access": {"read": ["/"], "write": [], "execute": ["/"]},
    "revision": "r",
}


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param(says(200, b"{}"), "sandgate policy export", id="it has no such rule"),
        pytest.param(says(200, b"<html>"), "not JSON", id="it answers with a page"),
        pytest.param(says(200, b"[" * 100_000), "not JSON", id="it nests without end"),
        pytest.param(says(500, b"{}"), "HTTP 500", id="it failed"),
        pytest.param(says(401, b"{}"), "opa_token_file", id="it wants another token"),
        pytest.param(says(302, b"", Location="http://127.0.0.1:1/"), "not followed", id="it sends elsewhere"),
        pytest.param(half_an_answer, "gave no decision", id="it stops half way"),
        pytest.param(endless, str(ANSWER_BYTES), id="it never stops"),
        pytest.param(says(200, json.dumps({"result": True}).encode()), "not a decision", id="it says only yes"),
        pytest.param(
            says(200, json.dumps({"result": ALLOW | {"revision": ""}}).encode()), "revision", id="it has no revision"
        ),
        pytest.param(
            says(200, json.dumps({"result": ALLOW | {"rules": [{"id": "x", "effect": "deny"}]}}).encode()),
            "not a decision",
            id="its rule is half a rule",
        ),
    ],
)
async def test_whatever_is_not_a_whole_decision_is_a_deny_that_says_why(answers: Answer, said: str) -> None:
    with serving(answers) as (url, handler):
        answer = await ask(url)

    assert isinstance(answer, Deny)
    assert ids(answer) == ["engine.error"]
    assert said in answer.rules[0].reason
    assert [method for method, _, _ in handler.seen].count("POST") == 1  # never asked twice


@pytest.mark.promise("policy.error_is_deny")
async def test_a_slow_server_is_a_deny_at_the_deadline() -> None:
    over = threading.Event()

    def slow(handler: Handler, _: bytes) -> None:
        over.wait(60)
        handler.close_connection = True

    with serving(slow) as (url, _):
        answer = await ask(url, deadline_s=0.2)
        over.set()

    assert ids(answer) == ["engine.error"]
    assert "0.2 s" in answer.rules[0].reason


@pytest.mark.promise("policy.error_is_deny")
async def test_a_dead_server_is_a_deny() -> None:
    with serving(says(200, b"{}")) as (url, _):
        pass

    assert ids(await ask(url)) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
async def test_a_server_without_its_bundles_is_not_asked_until_it_has_them() -> None:
    with serving(says(200, json.dumps({"result": ALLOW}).encode()), healthy=False) as (url, handler):
        async with OpaJudge(OpaAddress(url, deadline_s=PATIENCE_S)) as judge:
            before = await judge.decide(LIST)
            handler.healthy = True
            after = await judge.decide(LIST)

    assert ids(before) == ["engine.error"]
    assert "bundles" in before.rules[0].reason
    assert isinstance(after, Allow)
    assert next(path for _, path, _ in handler.seen).startswith("/health?bundles")


async def test_a_token_is_sent_with_each_question_and_never_in_clear_to_another_machine() -> None:
    with serving(says(200, json.dumps({"result": ALLOW}).encode())) as (url, handler):
        await ask(url, token="s3cret")

    assert {token for _, _, token in handler.seen} == {"Bearer s3cret"}
    with pytest.raises(BadOpaAddress, match="https"):
        OpaAddress("http://opa.example:8181", token="s3cret")


@pytest.mark.parametrize("url", ["opa.example:8181", "ftp://opa.example", "https://opa.example/v1/data", "https://"])
async def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadOpaAddress, match="opa_url"):
        OpaAddress(url)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "opa of the tests")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "opa.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def tls(authority: Path) -> Callable[[], ssl.SSLContext]:
    def context() -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(authority)
        return made

    return context


async def test_over_tls_only_the_operators_authority_is_trusted(
    authority: Path, tls: Callable[[], ssl.SSLContext]
) -> None:
    with serving(says(200, json.dumps({"result": ALLOW}).encode()), tls=tls()) as (url, _):
        trusted = await ask(url, ca=authority)
        stranger = await ask(url)

    assert isinstance(trusted, Allow)
    assert ids(stranger) == ["engine.error"]


async def test_a_certificate_that_cannot_be_read_is_said_when_the_settings_load(tmp_path: Path) -> None:
    with pytest.raises(BadOpaAddress, match="opa_ca"):
        OpaJudge(OpaAddress("https://127.0.0.1:1", ca=tmp_path / "none.pem"))


@pytest.mark.promise("egress.only_gate")
async def test_what_may_leave_is_the_servers_word_too(tmp_path: Path) -> None:
    session = SessionFacts("default", "python")
    request = Question(CallerFacts("local"), "network", session, UseHost("a.test", 443, "GET", "/"), {})
    with serving(from_engine(oracle({"egress": ["a.test"]}))) as (url, _):
        async with OpaJudge(OpaAddress(url, deadline_s=PATIENCE_S)) as judge:
            assert await judge.hosts(request) == ("a.test",)
            assert isinstance(await judge.decide_request(request), Allow)
    for answer in (says(500, b""), says(200, b'{"result": {"entries": "a.test", "revision": "1"}}'), says(200, b"{}")):
        with serving(answer) as (url, _):
            async with OpaJudge(OpaAddress(url, deadline_s=PATIENCE_S)) as judge:
                assert await judge.hosts(request) is None
                assert isinstance(await judge.decide_request(request), Deny)
