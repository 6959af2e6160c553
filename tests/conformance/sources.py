"""The suite's fixtures that are no tools: resources, prompts, completion, and methods of 2025 that we do not serve."""

import base64
import json
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    Completion,
    EmptyResult,
    RequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from tests.conformance.contents import PIXEL, embedded, image, text


async def static_text() -> str:
    return "This is the content of the static text resource."


async def static_binary() -> bytes:
    return base64.b64decode(PIXEL)


async def watched() -> str:
    return "Watched resource content"


async def template(id: str) -> str:  # noqa: A002 - the suite's name
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


async def test_simple_prompt() -> list[UserMessage]:
    """Says one thing."""
    return [UserMessage(content=text("This is a simple prompt for testing."))]


async def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    """Repeats its arguments."""
    return [UserMessage(content=text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]


async def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name
    """Shows a resource."""
    said = embedded(resourceUri, "Embedded resource content for testing.")
    return [UserMessage(content=said), UserMessage(content=text("Please process the embedded resource above."))]


async def test_prompt_with_image() -> list[UserMessage]:
    """Shows an image."""
    return [UserMessage(content=image()), UserMessage(content=text("Please analyze the image above."))]


async def completed(*_: Any) -> Completion:
    return Completion(values=[], total=0, has_more=False)


async def accepted(_: ServerRequestContext[Any, Any], params: RequestParams) -> EmptyResult:
    return EmptyResult()


def add(mcp: MCPServer[Any]) -> None:
    mcp.resource("test://static-text", mime_type="text/plain")(static_text)
    mcp.resource("test://static-binary", mime_type="image/png")(static_binary)
    mcp.resource("test://watched-resource", mime_type="text/plain")(watched)
    mcp.resource("test://template/{id}/data", mime_type="application/json")(template)
    for prompt in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
    ):
        mcp.prompt()(prompt)
    mcp.completion()(completed)  # type: ignore[no-untyped-call]  # as the SDK has it
    methods: dict[str, type[RequestParams]] = {
        "logging/setLevel": SetLevelRequestParams,
        "resources/subscribe": SubscribeRequestParams,
        "resources/unsubscribe": UnsubscribeRequestParams,
    }
    for method, params in methods.items():
        mcp._lowlevel_server.add_request_handler(method, params, accepted)  # there is no public way
