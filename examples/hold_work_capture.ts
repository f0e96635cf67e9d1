// Hold, work, capture: how a host charges for work whose price is known only when it is done.
//
//   SCRIP=http://127.0.0.1:3000 SCRIP_KEY=sk_… node hold_work_capture.js USER JOB CLIP…
//
// JOB is the name that your own database gives the work; run again with the same one, it is charged once. Ends with 0:
// charged; 1: nothing was charged; 2: not known yet, run it again.
import { argv, env, exit } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const SCRIP = env.SCRIP ?? "http://127.0.0.1:3000";
const KEY = env.SCRIP_KEY;
const RETURN_URL = "http://localhost:8080/account"; // where your users come back from Scrip's pages

const TRY_MS = 10_000; // one try; an answer takes milliseconds
const PATIENCE_MS = 60_000; // all tries of a call
const HOLD_SECONDS = 600; // longer than the work and the patience together

/** What Scrip says: an object, or a problem with its code. */
type Said = { id?: string; url?: string; price?: number; code?: string; detail?: string; topup_url?: string };
type Answer = { status: number; said: Said; retryAfter: string | null };

/** No answer, however often it was sent: it may have been done, or not. */
class Unknown extends Error {}

/** Your work. It takes a while, it may fail, and how much it comes to is known at its end. */
async function makeThumbnails(clips: string[]): Promise<string[]> {
  const thumbnails = clips.filter((clip) => !clip.includes("blurred"));
  if (thumbnails.length === 0) throw new Error("no clip is sharp enough");
  return thumbnails;
}

/** One try. Its status is 0 where there is no answer. */
async function attempt(url: string, request: RequestInit): Promise<Answer> {
  let status: number, text: string, retryAfter: string | null;
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(TRY_MS) });
    status = response.status;
    retryAfter = response.headers.get("Retry-After");
    text = await response.text();
  } catch {
    return { status: 0, said: {}, retryAfter: null };
  }
  try {
    return { status, said: JSON.parse(text), retryAfter };
  } catch {
    return { status: status >= 400 ? status : 0, said: {}, retryAfter }; // not from Scrip, but from something on the way
  }
}

/** Sends until there is an answer: each time the same bytes, under the same key, after growing pauses. */
async function call(path: string, body: object, key?: string): Promise<Answer> {
  const headers: Record<string, string> = { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  const request = { method: "POST", headers, body: JSON.stringify(body) };
  const giveUpAt = performance.now() + PATIENCE_MS;
  let pause = 250;
  let inDoubt = false;
  for (;;) {
    const answer = await attempt(`${SCRIP}/api/v1${path}`, request);
    // A 429 without Retry-After is a refusal: the catalog may say 429 instead of 402.
    const again =
      [0, 408, 500, 502, 503, 504].includes(answer.status) || (answer.status === 429 && answer.retryAfter !== null);
    if (!again) return answer;
    inDoubt ||= ![408, 429].includes(answer.status);
    const wait = Math.max(pause, 1000 * (Number(answer.retryAfter) || 0));
    if (performance.now() + wait > giveUpAt) {
      if (inDoubt) throw new Unknown();
      return answer;
    }
    await sleep(wait);
    pause = Math.min(pause * 2, 8_000);
  }
}

async function run(user: string, job: string, clips: string[]): Promise<number> {
  const account = await call("/accounts", { external_id: user }); // made the first time, there the next
  if (account.status !== 200 && account.status !== 201) return refused(job, account);
  const id = account.said.id;

  // 1. Hold the most that it can come to. Without a hold, no work.
  const most = { account: id, amount: clips.length, expires_in: HOLD_SECONDS, reference: job };
  const hold = await call("/holds", most, `${job}-hold`);
  if (hold.status !== 201) {
    if (hold.said.code === "insufficient_credits") console.log(`Get more: ${await wayToCredits(id, hold.said)}`);
    return refused(job, hold);
  }

  // 2. Work.
  let thumbnails: string[];
  try {
    thumbnails = await makeThumbnails(clips);
  } catch (error) {
    console.log(`${job}: ${error instanceof Error ? error.message : error}`);
    return release(job, hold.said.id);
  }

  // 3. Capture what it came to.
  let entry = await call(`/holds/${hold.said.id}/capture`, { amount: thumbnails.length }, `${job}-capture`);
  if (entry.said.code === "hold_closed") {
    // It ran out before, so its credits are free again: charge them without it. (Nobody else captures this hold.)
    entry = await call("/spends", { account: id, amount: thumbnails.length, reference: job }, `${job}-spend`);
  }
  if (entry.status !== 201) return refused(job, entry);
  // Only now your user gets the thumbnails.
  console.log(`${job}: ${thumbnails.length} of ${clips.length} clips for ${entry.said.price} credits`);
  return 0;
}

/** Sets the credits free. If that fails, the hold runs out by itself, and they are free then. */
async function release(job: string, hold?: string): Promise<number> {
  try {
    await call(`/holds/${hold}/release`, {}, `${job}-release`);
  } catch (error) {
    if (!(error instanceof Unknown)) throw error;
  }
  return 1;
}

/** Your user's way into the pages of their account; for people who sign in at Scrip itself, the page as it is. */
async function wayToCredits(account: string | undefined, problem: Said): Promise<string | undefined> {
  const session = await call(`/accounts/${account}/portal-sessions`, { return_url: RETURN_URL });
  return session.status === 201 ? session.said.url : problem.topup_url;
}

function refused(job: string, { status, said }: Answer): number {
  console.log(`${job}: ${said.detail ?? "refused"} (${status} ${said.code ?? ""})`);
  return 1;
}

const [user = "", job = "", ...clips] = argv.slice(2);
try {
  exit(await run(user, job, clips));
} catch (error) {
  if (!(error instanceof Unknown)) throw error;
  console.log(`${job}: Scrip does not answer; run it again`);
  exit(2);
}
