"""The suite's fixtures of the 2026 era: calls that take rounds, and what a stateless server is asked."""

from typing import Any

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolResult,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    MissingRequiredClientCapabilityErrorData,
    SamplingCapability,
    SamplingMessage,
)

from tests.conformance.contents import answer, text

type Answer = CallToolResult | InputRequiredResult


def question(message: str, **properties: str) -> ElicitRequest:
    fields = {name: {"type": kind} for name, kind in properties.items()}
    schema = {"type": "object", "properties": fields, "required": list(fields)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(prompt: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=text(prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def wanting(ctx: Context[Any, Any], state: str | None = None, **requests: InputRequest) -> InputRequiredResult | None:
    """What is still to be asked; nothing where every answer has come."""
    if all(name in (ctx.input_responses or {}) for name in requests):
        return None
    return InputRequiredResult(input_requests=dict(requests), request_state=state)


async def test_input_required_result_elicitation(ctx: Context[Any, Any]) -> Answer:
    """One question to a person."""
    if asked := wanting(ctx, user_name=question("What is your name?", name="string")):
        return asked
    said = (ctx.input_responses or {})["user_name"]
    name = (said.content or {}).get("name", "nobody") if isinstance(said, ElicitResult) else "nobody"
    return answer(text(f"Hello, {name}!"))


async def test_input_required_result_sampling(ctx: Context[Any, Any]) -> Answer:
    """One question to the client's model."""
    return wanting(ctx, capital_question=sampling("What is the capital of France?")) or answer(text("Paris"))


async def test_input_required_result_list_roots(ctx: Context[Any, Any]) -> Answer:
    """One question for roots."""
    return wanting(ctx, client_roots=ListRootsRequest()) or answer(text("roots have come"))


async def test_input_required_result_request_state(ctx: Context[Any, Any]) -> Answer:
    """A question whose state comes back."""
    asked = wanting(ctx, "kept", confirm=question("Please confirm", ok="boolean"))
    return asked or answer(text("state-ok" if ctx.request_state == "kept" else "another state"))


async def test_input_required_result_tampered_state(ctx: Context[Any, Any]) -> Answer:
    """The same; the suite changes the state."""
    return await test_input_required_result_request_state(ctx)


async def test_input_required_result_multiple_inputs(ctx: Context[Any, Any]) -> Answer:
    """Three questions at once."""
    asked = wanting(
        ctx,
        "three",
        user_name=question("What is your name?", name="string"),
        greeting=sampling("Generate a greeting"),
        client_roots=ListRootsRequest(),
    )
    return asked or answer(text("all have come"))


async def test_input_required_result_multi_round(ctx: Context[Any, Any]) -> Answer:
    """Two questions, one after the other."""
    if ctx.request_state is None:
        return InputRequiredResult(
            input_requests={"step1": question("Step 1: What is your name?", name="string")}, request_state="first"
        )
    asked = wanting(ctx, "second", step2=question("Step 2: What is your favorite color?", color="string"))
    return asked or answer(text("both have come"))


async def test_input_required_result_capabilities(ctx: Context[Any, Any]) -> Answer:
    """Only what the client can answer."""
    able = ctx.client_capabilities or ClientCapabilities()
    requests: dict[str, InputRequest] = {}
    if able.elicitation is not None:
        requests["name"] = question("What is your name?", name="string")
    if able.sampling is not None:
        requests["greeting"] = sampling("Generate a greeting")
    return (wanting(ctx, None, **requests) if requests else None) or answer(text("nothing to ask"))


async def test_missing_capability(ctx: Context[Any, Any]) -> CallToolResult:
    """Needs a client that can sample."""
    able = ctx.client_capabilities
    if able is None or able.sampling is None:
        lacking = MissingRequiredClientCapabilityErrorData(
            required_capabilities=ClientCapabilities(sampling=SamplingCapability())
        )
        said = lacking.model_dump(mode="json", by_alias=True, exclude_none=True)
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "this tool needs sampling", said)
    return answer(text("it can sample"))


async def test_streaming_elicitation(ctx: Context[Any, Any]) -> Answer:
    """A question on a stream that has progress."""
    await ctx.report_progress(1, 2)
    return wanting(ctx, confirm=question("Go on?", ok="boolean")) or answer(text("went on"))


async def test_logging_tool(ctx: Context[Any, Any]) -> CallToolResult:
    """One line of log, for whom asked for it."""
    await ctx.info("a line of log")
    return answer(text("logged"))


async def test_trigger_tool_change(ctx: Context[Any, Any]) -> CallToolResult:
    """Says that the tools are others."""
    await ctx.notify_tools_changed()
    return answer(text("told"))


async def test_trigger_prompt_change(ctx: Context[Any, Any]) -> CallToolResult:
    """Says that the prompts are others."""
    await ctx.notify_prompts_changed()
    return answer(text("told"))


async def test_input_required_result_prompt(ctx: Context[Any, Any]) -> Any:
    """A prompt that asks first."""
    asked = wanting(ctx, user_context=question("What context should the prompt use?", context="string"))
    return asked or [UserMessage(content=text("with context"))]


def add(mcp: MCPServer[Any]) -> None:
    mcp.prompt()(test_input_required_result_prompt)
    for tool in (
        test_input_required_result_elicitation,
        test_input_required_result_sampling,
        test_input_required_result_list_roots,
        test_input_required_result_request_state,
        test_input_required_result_tampered_state,
        test_input_required_result_multiple_inputs,
        test_input_required_result_multi_round,
        test_input_required_result_capabilities,
        test_missing_capability,
        test_streaming_elicitation,
        test_logging_tool,
        test_trigger_tool_change,
        test_trigger_prompt_change,
    ):
        mcp.add_tool(tool, structured_output=False)
