"""Who a request over HTTP comes from: the caller that its bearer token stands for."""

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken

from server.call import Caller


class NoCaller(Exception):
    """A request got this far without an identity: no call is made for nobody."""


def request_caller() -> Caller:
    """Of the request being answered, as the SDK hands it on. Raises NoCaller."""
    token = get_access_token()
    if token is None:
        raise NoCaller("this request comes from nobody; send a bearer token")
    return caller_of(token)


def caller_of(token: AccessToken) -> Caller:
    """Issuer and subject: the same person at two issuers is two callers."""
    claims = token.claims or {}
    return Caller(f"{claims['iss']}|{token.subject}", tuple(claims["roles"]))
