"""Who a request over HTTP comes from: the caller that its bearer token stands for."""

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.datastructures import Headers
from starlette.types import Scope

from server.asks import Caller


class NoCaller(Exception):
    """A request got this far without an identity: no call is made for nobody."""


def request_caller() -> Caller:
    """Of the request being answered, as the SDK hands it on. Raises NoCaller."""
    token = get_access_token()
    if token is None:
        raise NoCaller("this request comes from nobody: send a bearer token that is good (`sandgate token new`)")
    return caller_of(token)


def caller_of(token: AccessToken) -> Caller:
    """Issuer and subject: the same person at two issuers is two callers."""
    claims = token.claims or {}
    return Caller(f"{claims['iss']}|{token.subject}", tuple(claims["roles"]))


def told_apart_by(scope: Scope, headers: Headers) -> str | None:
    """Whose a request is, behind the SDK's authentication; by what it came with where that is not good, or nobody looked.

    Not by what is written where it is good: `bearer` has 64 spellings, and a signature any number.
    """
    user = scope.get("user")
    if isinstance(user, AuthenticatedUser):
        return caller_of(user.access_token).id
    return headers.get("authorization")
