"""Secrets at work: into a request's head, out of everything that comes back, and nowhere else."""

from collections.abc import Callable

from mitmproxy import http

from egress.bodies import Count, Download, Upload
from egress.decoding import Undecodable
from egress.destination import Destination
from egress.flight import Flight
from egress.reading import ask_in_clear, head_of, laid_open
from egress.scrub import Scrubber
from egress.secrets import Vault
from egress.swap import Placeholders, misplaced, swapped


class Lending:
    """The secrets of one gate; what a session has in their place is handed in."""

    def __init__(self) -> None:
        self.vault = Vault()

    def put_in(self, request: http.Request, placeholders: Placeholders, flight: Flight) -> None:
        """The head is judged and in its final form, and no byte of it has left. Refused for a placeholder elsewhere.

        A signature would be made here, too.
        """
        if placeholders:
            change = swapped(head_of(request, flight.destination), placeholders, self.vault)
            request.headers.fields, flight.secrets = change.fields, change.secrets
        if self.vault.at(flight.destination):
            ask_in_clear(request)

    def upload(
        self, request: http.Request, placeholders: Placeholders, flight: Flight, betrayed: Callable[[str], None]
    ) -> Count | Upload:
        """The body as it goes out. `betrayed` is told why it ends where there is a placeholder in it."""
        if not placeholders:
            return flight.up
        head = head_of(request, flight.destination)

        def found(text: bytes) -> None:
            name = next((name for placeholder, name in placeholders.items() if placeholder in text), "")
            betrayed(misplaced(name, self.vault, "in the body of a request", head))

        return Upload(flight.up, found)

    def download(
        self, response: http.Response, request: http.Request, flight: Flight, spoilt: Callable[[Undecodable], None]
    ) -> Count | Download:
        """The body as it comes back, its head scrubbed at once. Raises Undecodable, or tells `spoilt` later."""
        scrubber = self._scrubber(flight.destination)
        if scrubber is None:
            return flight.down
        response.headers.fields = scrubber.fields(response.headers.fields)
        response.data.reason = scrubber.masked(response.data.reason)
        return Download(flight.down, scrubber, laid_open(response, request), spoilt)

    def scrub_trailers(self, response: http.Response, flight: Flight) -> None:
        trailers = response.trailers
        if trailers is not None and (scrubber := self._scrubber(flight.destination)):
            trailers.fields = scrubber.fields(trailers.fields)

    def _scrubber(self, destination: Destination) -> Scrubber | None:
        secrets = self.vault.at(destination)
        return Scrubber(value for secret in secrets for value in secret.values) if secrets else None
