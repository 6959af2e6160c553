// What every client written in JavaScript does, and tells as one JSON object: the same as steps.py.
// Arguments of a program: MODE and SESSION, then `stdio PROGRAM ARGUMENTS...`, or `http URL TOKEN`, or `sse URL TOKEN`.
const DEADLINE_S = 60; // of a command that is given up: it ends by that alone
const PATIENCE_MS = 4000; // of the client that gives up; the command has begun by then
export const [mode, session, kind, ...address] = process.argv.slice(2);
export const requestInit = { headers: { Authorization: `Bearer ${address[1]}` } };
export const about = { name: "a client of another maker", version: "1" };
export const asked = [];

export function answer({ params }) {
  asked.push(params.message);
  return { action: "accept", content: { allow: true } };
}

// call(name, arguments, options) resolves to a result as it is on the wire.
export async function drive(client, protocol, call) {
  const { tools } = await client.listTools();
  const shell = (command, more = {}, options = undefined) =>
    call("shell", { command, session, ...more }, options);
  const text = (result) => result.content.map((part) => part.text).join("\n");
  const until = async (mark, runs) => {
    for (let i = 0; i < 400; i++) {
      const seen = await call("exec", { argv: ["ps", "-eo", "args"], session });
      if (seen.isError) throw new Error(text(seen));
      if (text(seen).includes(`\n${mark} `) === runs) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  };
  const sleeping = (mark, options) => shell(`exec -a ${mark} sleep 61`, { timeout_s: DEADLINE_S }, options);
  const failing = (promise) => promise.then((result) => Promise.reject(new Error(JSON.stringify(result))), () => {});

  // A command that goes on only once its progress has been heard.
  const progress = [];
  const held = "rm -f go; echo one; until [ -e go ]; do sleep 0.05; done; echo two; exit 3";
  const ran = await new Promise((resolve, reject) => {
    const onprogress = ({ message }) => {
      progress.push(message);
      if (message.includes("one")) call("exec", { argv: ["touch", "go"], session }).catch(reject);
    };
    shell(held, { timeout_s: 60 }, { onprogress }).then(resolve, reject);
  });
  const refused = await shell("sudo id");
  const allowed = await shell("git push; echo went on");
  const abort = new AbortController();
  const aborted = failing(sleeping("aborted-js", { signal: abort.signal }));
  await until("aborted-js", true);
  abort.abort();
  await aborted;
  const cancelled = await until("aborted-js", false);
  await failing(sleeping("timed-out-js", { timeout: PATIENCE_MS }));
  const timedOut = await until("timed-out-js", false);
  await call("session_close", { session });
  await client.close();
  console.log(
    JSON.stringify({
      protocol,
      tools: tools.map((tool) => tool.name),
      ran: ran.structuredContent,
      text: text(ran),
      progress: progress.join(""),
      refused: [refused.isError ?? false, text(refused)],
      asked,
      allowed: [allowed.isError ?? false, text(allowed)],
      gone: [cancelled, timedOut],
    }),
  );
}
