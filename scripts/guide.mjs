// The part of scripts/guide between its programs and Scrip ($SCRIP): a network at its worst. Prints its port.
//
//   /lossy/…  what is sent the first time is done, but the answer is lost; the second time something on the way has no
//             room (503), the third time Scrip has none (429); then it is answered. Captures also hang.
//   /late/…   a capture comes an hour too late, by the clock of the sandbox ($SCRIP_ADMIN_KEY)
import { createServer } from "node:http";

const { SCRIP, SCRIP_ADMIN_KEY } = process.env;
const tries = new Map();

async function body(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function pass(request, path, sent) {
  const { authorization, "content-type": type, "idempotency-key": key } = request.headers;
  const headers = { authorization, "content-type": type, ...(key && { "idempotency-key": key }) };
  const answer = await fetch(SCRIP + path, { method: request.method, headers, body: sent });
  return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
}

async function anHourLater() {
  const headers = { authorization: `Bearer ${SCRIP_ADMIN_KEY}`, "content-type": "application/json" };
  const clock = `${SCRIP}/api/v1/test/clock`;
  const { now } = await (await fetch(clock, { headers })).json();
  const later = new Date(Date.parse(now) + 3_600_000).toISOString();
  await fetch(clock, { method: "PUT", headers, body: JSON.stringify({ now: later }) });
}

async function answer(request, response) {
  const [, mode, path] = request.url.match(/^\/(lossy|late)(\/.*)$/);
  const sent = await body(request);
  // Under another key, or with other content, it would be another request.
  const name = [path, request.headers["idempotency-key"], sent].join("\n");
  const before = tries.get(name) ?? 0;
  tries.set(name, before + 1);
  const isCapture = path.endsWith("/capture");

  if (mode === "late" && isCapture && before === 0) await anHourLater();
  if (mode === "lossy") {
    if (before === 0) {
      await pass(request, path, sent);
      return request.socket.destroy();
    }
    if (before === 1) return response.writeHead(503, { "content-type": "text/html" }).end("<h1>No room</h1>");
    if (before === 2) {
      const problem = { code: "too_many_requests", detail: "Too many requests with this key.", status: 429 };
      return response.writeHead(429, { "content-type": "application/problem+json", "retry-after": "1" }).end(JSON.stringify(problem));
    }
    if (before === 3 && isCapture) return; // for as long as who asks has patience
  }
  const { status, type, text } = await pass(request, path, sent);
  response.writeHead(status, { "content-type": type }).end(text);
}

const server = createServer((request, response) => answer(request, response).catch(() => request.socket.destroy()));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
