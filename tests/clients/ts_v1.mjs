// The TypeScript SDK v1.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { about, address, answer, drive, kind, requestInit } from "./steps.mjs";

function transport() {
  const [first, ...args] = address;
  if (kind === "stdio") return new StdioClientTransport({ command: first, args, env: process.env, stderr: "inherit" });
  const Transport = kind === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
  return new Transport(new URL(first), { requestInit });
}

const client = new Client(about, { capabilities: { elicitation: {} } });
client.setRequestHandler(ElicitRequestSchema, answer);
const made = transport();
let protocol = "";
const { setProtocolVersion } = made;
made.setProtocolVersion = (version) => {
  protocol = version;
  setProtocolVersion?.call(made, version);
};
await client.connect(made);
await drive(client, protocol, (name, args, options) => client.callTool({ name, arguments: args }, undefined, options));
