"""The suite's fixtures that show a kind of content, a notification or a question of the 2025 era."""

import base64
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SILENCE = base64.b64encode(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\0\0\0\0").decode()
PAUSE_S = 0.05  # between two notifications, as the suite wants it
OPTIONS = ["option1", "option2", "option3"]
TITLED = [{"const": f"value{n}", "title": title} for n, title in enumerate(("First", "Second", "Third"), 1)]
DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
ENUMS = {
    "untitledSingle": {"type": "string", "enum": OPTIONS},
    "titledSingle": {"type": "string", "oneOf": TITLED},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
}


def text(said: str) -> TextContent:
    return TextContent(type="text", text=said)


def image() -> ImageContent:
    return ImageContent(type="image", data=PIXEL, mime_type="image/png")


def embedded(uri: str, said: str, mime: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime, text=said))


def answer(*blocks: ContentBlock) -> CallToolResult:
    return CallToolResult(content=list(blocks))


async def test_simple_text() -> CallToolResult:
    """Text."""
    return answer(text("This is a simple text response for testing."))


async def test_image_content() -> CallToolResult:
    """An image."""
    return answer(image())


async def test_audio_content() -> CallToolResult:
    """Audio."""
    return answer(AudioContent(type="audio", data=SILENCE, mime_type="audio/wav"))


async def test_embedded_resource() -> CallToolResult:
    """An embedded resource."""
    return answer(embedded("test://embedded-resource", "This is an embedded resource content."))


async def test_multiple_content_types() -> CallToolResult:
    """All three."""
    data = embedded("test://mixed-content-resource", '{"test": "data", "value": 123}', "application/json")
    return answer(text("Multiple content types test:"), image(), data)


async def test_error_handling() -> CallToolResult:
    """Fails."""
    raise ToolError("This tool intentionally returns an error for testing")


async def test_tool_with_logging(ctx: Context[Any, Any]) -> CallToolResult:
    """Three lines of log."""
    for place, line in enumerate(("started", "processing data", "completed")):
        await anyio.sleep(PAUSE_S if place else 0)
        await ctx.info(f"Tool execution {line}")
    return answer(text("logged"))


async def test_tool_with_progress(ctx: Context[Any, Any]) -> CallToolResult:
    """Three steps."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
        await anyio.sleep(PAUSE_S)
    return answer(text("done"))


async def test_sampling(prompt: str, ctx: Context[Any, Any]) -> CallToolResult:
    """Asks the client's model."""
    message = SamplingMessage(role="user", content=text(prompt))
    said = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
    return answer(text(f"LLM response: {getattr(said.content, 'text', '')}"))


async def test_elicitation(message: str, ctx: Context[Any, Any]) -> CallToolResult:
    """Asks a person."""
    return await _asked(ctx, message, {"username": {"type": "string"}, "email": {"type": "string"}})


async def test_elicitation_sep1034_defaults(ctx: Context[Any, Any]) -> CallToolResult:
    """Asks with a default of every kind."""
    return await _asked(ctx, "Please check the defaults", DEFAULTS)


async def test_elicitation_sep1330_enums(ctx: Context[Any, Any]) -> CallToolResult:
    """Asks for a choice of every kind."""
    return await _asked(ctx, "Please choose", ENUMS)


async def _asked(ctx: Context[Any, Any], message: str, properties: dict[str, Any]) -> CallToolResult:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    said = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return answer(text(f"Elicitation completed: action={said.action}, content={said.content}"))


def add(mcp: MCPServer[Any]) -> None:
    for tool in (
        test_simple_text,
        test_image_content,
        test_audio_content,
        test_embedded_resource,
        test_multiple_content_types,
        test_error_handling,
        test_tool_with_logging,
        test_tool_with_progress,
        test_sampling,
        test_elicitation,
        test_elicitation_sep1034_defaults,
        test_elicitation_sep1330_enums,
    ):
        mcp.add_tool(tool, structured_output=False)
