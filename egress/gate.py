"""The addon: what every request, connection and lookup behind a sandbox has to pass. Nothing is let by unless said so."""

import asyncio
import logging
import re
from typing import Any

from mitmproxy import connection, http, tls
from mitmproxy.flow import Error, Flow
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers import ClientTLSLayer, ServerTLSLayer
from mitmproxy.proxy.layers.http import HTTPMode, HttpStream
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from egress.asking import Asking, Wanted
from egress.closed import Gone, every_hook_fails_closed
from egress.connection import Connection
from egress.decoding import Undecodable
from egress.destination import BadName, Destination, clip
from egress.dial import Dialler, PinnedLoop
from egress.flight import Flight
from egress.hooks import Unread
from egress.journal import Journal
from egress.layers import HEAD_BYTES, TOO_LONG, UNREADABLE, Cut, SandboxHttp
from egress.lending import Lending
from egress.reading import answer_of, asked_of, claim_of, size_of, write_canonical
from egress.refusal import BAD_GATEWAY, TOO_MANY, Let, Refusal, Refused, refuse

log = logging.getLogger("egress")

LONGEST_TURN_S = 5.0
_TLS_RECORD = 0x16
_SWITCHING = 101
_NOT_FOR_SANDBOXES = ("alt-svc", "alternate-protocol", "proxy-authenticate", "x-sandgate-error")
_ANSWERABLE = frozenset({"http_connect", "requestheaders", "request_invalid", "dial_failed"})
_UNTRUSTED_AS = re.compile(
    "local issuer certificate|self-signed certificate"
)  # OpenSSL's words; companies intercept TLS
_UNTRUSTED = " Whom to believe beyond the system's authorities is [egress] upstream_ca in the settings."
_FAILED = Refusal("egress.error", "The gate failed while it judged this; nothing was sent.")


@every_hook_fails_closed
class Gate:
    """mitmproxy calls these hooks by name. `connections` is kept by the listeners, one entry for each open line."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.dialler = Dialler()
        self.lending = Lending()
        self.asking = Asking(journal.tell)
        self.connections: dict[str, Connection] = {}
        self.unrecorded = False

    # The connection, before any request.

    def client_connected(self, client: connection.Client) -> None:
        if client.id not in self.connections:
            client.error = "nobody opened this door"

    def next_layer(self, chosen: NextLayer) -> None:
        """Only HTTP, or TLS inside a tunnel; the first byte says which."""
        context = chosen.context
        tunnelled = any(isinstance(layer, HttpStream) for layer in context.layers)
        first: bytes = chosen.data_client()[:4]  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        if first[:1].isalpha() and first != b"SSH-":
            chosen.layer = SandboxHttp(context, HTTPMode.transparent if tunnelled else HTTPMode.regular)
            self._at(context.client).line.pressure.carries(chosen.layer)
        elif first[:1] == bytes([_TLS_RECORD]) and isinstance(context.layers[-1], HttpStream):
            chosen.layer = ServerTLSLayer(context)
            chosen.layer.child_layer = ClientTLSLayer(context)
        elif first:
            chosen.layer = Cut(context)
            self._note(self._at(context.client), self._unspoken(context.client))

    def _unspoken(self, client: connection.Client) -> Refusal:
        tunnel = self._at(client).line.tunnel or Destination("", 0)
        return Refusal("egress.protocol", "Only HTTP passes, with or without TLS.", tunnel.host, tunnel.port)

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """Every tunnel to a readable name is accepted; what comes through it is judged, and answered inside it.

        But a tunnel that the list passes unread is dialled before it is accepted.
        """
        at = self._at(flow.client_conn)
        try:
            tunnel = Destination.of(flow.request.host, flow.request.port)
        except BadName as error:
            self._refuse(flow, Refusal("egress.bad_name", f"{error}.", clip(flow.request.host)))
            return
        flow.request.data.host = tunnel.host
        if not await self._has_its_turn(at):
            reason = f"This session opens more than {at.session.budget.limits.tls_per_second:g} connections a second."
            self._refuse(flow, Refusal("egress.limit", reason, tunnel.host, tunnel.port, TOO_MANY))
            return
        at.line.connected(tunnel)
        if at.session.passes_raw(tunnel) and not self.unrecorded:
            flight = self._flight(at, tunnel, "tcp", "", "")
            at.line.took_off(flow.id, flight)
            flow.metadata.update(up=flight.up, down=flight.down, raw=True)

    async def _has_its_turn(self, at: Connection) -> bool:
        """A handshake costs as much as some requests: who opens many waits, and who does not stop is refused."""
        budget, loop = at.session.budget, asyncio.get_running_loop()
        wait = budget.handshake(loop.time())
        if wait > LONGEST_TURN_S:
            budget.give_back()
            return False
        if wait:
            await asyncio.sleep(wait)
        return True

    def _flight(self, at: Connection, destination: Destination, scheme: str, method: str, path: str) -> Flight:
        session = at.session
        return Flight(
            destination,
            scheme,
            method,
            path,
            at.cause,
            budget=session.budget,
            rule=session.rule_of(destination, method, path),
            overspent=lambda: self._overspent(at, destination),
            sending=lambda flight: self.journal.flow(session.name, flight.cause, flight.facts(0), "sending"),
        )

    def _overspent(self, at: Connection, destination: Destination) -> None:
        reason = at.session.budget.spent or "This session has no bytes left."
        self._note(at, Refusal("egress.limit", reason, destination.host, destination.port))
        at.line.abort()

    def tls_established_client(self, data: tls.TlsData) -> None:
        if data.conn.alpn == b"h2":
            self._at(data.context.client).line.speaks_http2()

    def tls_failed_client(self, data: tls.TlsData) -> None:
        at = self.connections.get(data.context.client.id)
        if at is None:
            return  # it hung up first
        reason = f"The TLS handshake inside the sandbox failed: {clip(data.conn.error or 'no reason given')}."
        tunnel = at.line.tunnel or Destination("", 0)
        self._note(at, Refusal("egress.protocol", reason, tunnel.host, tunnel.port))

    # The request.

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        at = self._at(flow.client_conn)
        try:
            flight = await self._admitted(flow, at)
            write_canonical(flow.request, flight.destination)
            self.lending.put_in(flow.request, at.session.placeholders, flight)
            flight.starts(size_of(flow.request.headers) + len(flow.request.data.path))
            at.session.not_spent(flight.destination)
        except Refused as refused:
            self._refuse(flow, refused.refusal)
            return
        at.line.took_off(flow.id, flight)
        flow.metadata.update(up=flight.up, down=flight.down)
        flow.request.stream = self.lending.upload(
            flow.request, at.session.placeholders, flight, lambda reason: self._betrayed(flow, at, flight, reason)
        )

    async def _admitted(self, flow: http.HTTPFlow, at: Connection) -> Flight:
        request = flow.request
        if self.unrecorded:
            raise refuse("egress.error", "Traffic cannot be recorded at the moment, so none is let pass.")
        if size_of(request.headers) > HEAD_BYTES:
            raise Refused(TOO_LONG)
        claim = claim_of(flow, at.line.tunnel)
        destination = claim.destination()
        at.session.has_room(destination)
        path = request.path.partition("?")[0]
        let: Let = ""
        if at.session.must_ask(destination, claim.method, path):
            wanted = Wanted(destination, request.scheme, claim.method, path, at.cause)
            let = await self.asking.hold(at.session, at.line, wanted)
        listed = bool(let) or at.session.admit(destination, claim.method, path)
        flight = self._flight(at, destination, request.scheme, claim.method, path)
        flight.let = let
        flight.learnt = not listed
        return flight

    def _betrayed(self, flow: http.HTTPFlow, at: Connection, flight: Flight, reason: str) -> None:
        """A placeholder came to light in a body."""
        refusal = Refusal("egress.secret", reason, flight.destination.host, flight.destination.port)
        if flow.response is not None:  # the origin has begun to answer
            self._note(at, refusal)
            at.line.abort()
            return
        at.line.landed(flow.id)
        self.journal.flow(at.session.name, flight.cause, flight.facts(refusal.status))
        flow.metadata["refused"] = True
        self._refuse(flow, refusal)

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.id in (line := self._at(flow.client_conn).line).flights:
            line.heard_out()

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        at = self._at(flow.client_conn)
        flight = at.line.flights.get(flow.id)
        if flow.response is None or flight is None:
            return  # an answer of our own
        if flow.server_conn.peername:  # also where the connection was there before
            flight.address = flow.server_conn.peername[0]
        if flow.response.status_code == _SWITCHING and "upgrade" not in flow.request.headers:
            self._note(at, Refusal("egress.protocol", "The origin switched protocols unasked.", flow.request.host))
            at.line.abort()
            return
        flight.received(size_of(flow.response.headers))
        for name in _NOT_FOR_SANDBOXES:
            flow.response.headers.pop(name, None)
        try:
            flow.response.stream = flow.metadata["down"] = self.lending.download(
                flow.response, flow.request, flight, lambda error: self._spoilt(at, flight, error)
            )
        except Undecodable as error:
            self._spoilt(at, flight, error)
            return
        if upstream := at.upstreams.get(flow.server_conn.id):
            upstream.held.lift()

    def _spoilt(self, at: Connection, flight: Flight, error: Undecodable) -> None:
        self._note(at, Refusal("egress.secret", str(error), flight.destination.host, flight.destination.port))
        at.line.abort()

    def response(self, flow: http.HTTPFlow) -> None:
        at = self._at(flow.client_conn)
        if flow.response is not None and (flight := at.line.flights.get(flow.id)):
            self.lending.scrub_trailers(flow.response, flight)
        if flow.websocket is not None:
            at.line.upgraded()
            return
        upstream = at.upstreams.get(flow.server_conn.id)
        if upstream and flow.server_conn.alpn != b"h2":
            upstream.held.restart()
        self._land(flow, at)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self.error(flow)

    raw_end = websocket_end

    def error(self, flow: http.HTTPFlow) -> None:
        if at := self.connections.get(flow.client_conn.id):  # else its line is gone, and all flights on it have landed
            self._land(flow, at)

    def _land(self, flow: http.HTTPFlow, at: Connection) -> None:
        flight = at.line.landed(flow.id)
        if flight is not None:
            status = flow.response.status_code if flow.response else 0
            self.journal.flow(at.session.name, flight.cause, flight.facts(status))

    def land_all(self, at: Connection) -> None:
        """The line is gone: whatever was still under way on it is over."""
        for name in list(at.line.flights):
            if flight := at.line.landed(name):
                self.journal.flow(at.session.name, flight.cause, flight.facts(0))

    # The way out.

    async def server_connect(self, data: ServerConnectionHookData) -> None:
        """The choke point. A connection is dialled only for an admitted request, only to addresses that may be reached."""
        at = self._at(data.client)
        at.line.upstreams.add(data.server.id)
        if data.server.address is None or data.server.transport_protocol != "tcp" or data.server.via:
            raise ValueError("a connection of a kind that no request asks for")
        at.line.dialling(data.server.id, lambda: at.give_up(data.server))
        try:
            await self._aim(at, Destination(*data.server.address[:2]))
            data.server.sni = data.server.address[0]  # as it was judged, not as the sandbox spelt it
        except Refused as refused:
            data.server.error = refused.refusal.reason
            at.line.not_dialled(refused.refusal)

    async def _aim(self, at: Connection, destination: Destination) -> None:
        flights = [flight for flight in at.line.flights.values() if flight.destination == destination]
        if not flights:
            raise refuse("egress.error", "No request asked for this connection.", destination.host, destination.port)
        at.session.admit_dial(destination, let=any(flight.let for flight in flights))
        pin = await self.dialler.aim(destination, at.session.lookups)
        at.line.reached(destination, str(pin.addresses[0]))  # as far as is known before one of them answers
        loop = asyncio.get_running_loop()
        if not isinstance(loop, PinnedLoop):
            raise TypeError("the gate runs on a loop that would connect anywhere")
        loop.pin(pin)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        at = self._at(data.client)
        at.watch(data.server)
        if data.server.address and data.server.peername:
            at.line.reached(Destination(*data.server.address[:2]), data.server.peername[0])
        if any(flight.raw for flight in at.line.flights.values()):
            at.upstreams[data.server.id].held.lift()
        if not data.server.tls:
            at.line.dialled(data.server.id)

    def tls_established_server(self, data: tls.TlsData) -> None:
        self._at(data.context.client).line.dialled(data.conn.id)

    def tls_failed_server(self, data: tls.TlsData) -> None:
        if at := self.connections.get(data.context.client.id):
            at.line.dialled(data.conn.id)

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        self._let_go(data)

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        self._let_go(data)

    def _let_go(self, data: ServerConnectionHookData) -> None:
        at = self.connections.get(data.client.id)
        if at is None:
            return  # its line is gone, and all that was counted on it
        at.line.upstreams.discard(data.server.id)
        at.upstreams.pop(data.server.id, None)
        at.line.dialled(data.server.id)

    def dial_failed(self, flow: http.HTTPFlow) -> None:
        """An admitted request did not reach its origin: by our rules, or because the origin was not to be had."""
        at = self._at(flow.client_conn)
        flight = at.line.landed(flow.id)
        target = Destination(flow.request.host, flow.request.port)
        refusal = at.line.why_not_dialled(target)
        if refusal is None:
            text = clip(flow.error.msg if flow.error else "no reason given")
            reason = f"{target} was not reached: {text}.{_UNTRUSTED if _UNTRUSTED_AS.search(text) else ''}"
            refusal = Refusal("egress.error", reason, target.host, target.port, BAD_GATEWAY)
        if flight is not None and refusal.status == BAD_GATEWAY:
            self.journal.flow(at.session.name, flight.cause, flight.facts(refusal.status, refusal.reason))
            self._answer(flow, at, refusal)
        else:
            self._refuse(flow, refusal)

    # No.

    def request_invalid(self, flow: http.HTTPFlow) -> None:
        tunnel = self._at(flow.client_conn).line.tunnel or Destination("", 0)
        refusal = Refusal("egress.protocol", UNREADABLE.reason, tunnel.host, tunnel.port)
        if flow.client_conn.connected:  # else the reader has told already
            self._refuse(flow, refusal)

    def unreadable(self, unread: Unread) -> None:
        at = self._at(unread.client)
        at.line.linger()
        self._note(at, unread.refusal)

    def tcp_start(self, flow: Flow) -> None:
        self.cut(flow)

    def udp_start(self, flow: Flow) -> None:
        self.cut(flow)

    def dns_request(self, flow: Flow) -> None:
        self.cut(flow)

    def cut(self, data: Any, hook: str = "") -> None:
        """Whatever hook it was that failed, what it was asked about ends here."""
        match data:
            case http.HTTPFlow() if hook in _ANSWERABLE and data.client_conn.id in self.connections:
                self._refuse(data, _FAILED)
            case Flow():
                data.error = Error(Error.KILLED_MESSAGE)
                self._abort(data.client_conn)
            case NextLayer(context=context):
                data.layer = Cut(context)
            case ServerConnectionHookData(client=client, server=server):
                server.error = _FAILED.reason
                self._abort(client)
            case Unread(client=client):
                self._abort(client)
            case connection.Client():
                data.error = _FAILED.reason
                self._abort(data)
            case _:
                self._abort(data.context.client)

    def _abort(self, client: connection.Client) -> None:
        if at := self.connections.get(client.id):
            at.line.abort()

    def _refuse(self, flow: http.HTTPFlow, refusal: Refusal) -> None:
        at = self._at(flow.client_conn)
        self._answer(flow, at, refusal)
        self.journal.refused(at.session.name, at.cause, refusal, asked_of(flow.request))

    def _answer(self, flow: http.HTTPFlow, at: Connection, refusal: Refusal) -> None:
        flow.response = answer_of(refusal, flow.request, at.session, at.cause)
        flow.request.headers.pop("expect", None)  # no "100 Continue" for a body that nobody wants
        flow.request.stream = True  # that is: do not wait for the body, see egress.layers
        at.line.linger()

    def _note(self, at: Connection, refusal: Refusal) -> None:
        self.journal.refused(at.session.name, at.cause, refusal)

    def _at(self, client: connection.Client) -> Connection:
        try:
            return self.connections[client.id]
        except KeyError:
            raise Gone from None
