// The TypeScript SDK v1 over stdio: list, call with progress, a refusal, an abort. Prints one JSON object.
// argv: program, then its arguments. The environment is handed on whole.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [command, ...args] = process.argv.slice(2);
const client = new Client({ name: "ts-v1", version: "1" });
await client.connect(new StdioClientTransport({ command, args, env: process.env, stderr: "inherit" }));

const { tools } = await client.listTools();
const progress = [];
const ran = await client.callTool({ name: "shell", arguments: { command: "echo one; sleep 0.5; echo two; exit 3" } }, undefined, {
  onprogress: ({ message }) => progress.push(message),
});
const refused = await client.callTool({ name: "shell", arguments: { command: "sudo id" } });
const abort = new AbortController();
setTimeout(() => abort.abort(), 800);
const aborted = await client
  .callTool({ name: "shell", arguments: { command: "exec -a ts-aborted sleep 62" } }, undefined, { signal: abort.signal })
  .then(() => false, () => true);
let gone = false;
for (let i = 0; i < 50 && !gone; i++) {
  const seen = await client.callTool({ name: "exec", arguments: { argv: ["ps", "-eo", "args"] } });
  gone = !seen.structuredContent.stdout.includes("ts-aborted");
}
await client.close();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), ran: ran.structuredContent, progress, refused, aborted, gone }));
