// The TypeScript SDK v2, which speaks the 2026 era where it is told to look for it.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { about, address, answer, drive, kind, mode, requestInit } from "./steps.mjs";

function transport() {
  const [first, ...args] = address;
  if (kind === "stdio") return new StdioClientTransport({ command: first, args, env: process.env, stderr: "inherit" });
  const Transport = kind === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
  return new Transport(new URL(first), { requestInit });
}

const versionNegotiation = mode === "auto" ? { mode } : undefined;
const client = new Client(about, { capabilities: { elicitation: {} }, versionNegotiation });
client.setRequestHandler("elicitation/create", answer);
await client.connect(transport());
const call = (name, args, options) => client.callTool({ name, arguments: args }, options);
await drive(client, client.getNegotiatedProtocolVersion(), call);
