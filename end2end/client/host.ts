// A day of a host application, written against the API's description alone: every call once, and what can go wrong on
// its way. scripts/client sees that it compiles, which says that the description serves generated clients; and runs it.

import createClient from "openapi-fetch";
import type { components, paths } from "../../target/client/scrip";

type Schemas = components["schemas"];
type Problem = Schemas["Problem"];
type Kind = Schemas["Entry"]["kind"];
type EntriesQuery = NonNullable<paths["/api/v1/accounts/{account}/entries"]["get"]["parameters"]["query"]>;

/** What the host tells its own user. */
function inWords(problem: Problem): string {
  switch (problem.code) {
    case "insufficient_credits":
      return `${problem.shortfall ?? 0} credits are missing. More: ${problem.topup_url ?? "nowhere"}`;
    case "price_changed":
      return `It costs ${problem.cost ?? "something else"} now.`;
    case "invalid":
      return (problem.errors ?? []).map(({ path, message }) => `${path}: ${message}`).join("; ");
    default:
      return problem.retry_after_secs ? `Come again in ${problem.retry_after_secs} s.` : problem.detail;
  }
}

class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.status} ${problem.code}: ${inWords(problem)} (${problem.request_id})`);
  }
}

/** What a call answered with, where it went well. */
function done<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.error) throw new Refused(answer.error);
  if (answer.data === undefined) throw new Error("an answer without a body");
  return answer.data;
}

/** Why a call was refused, where it should be. */
function refused(answer: { error?: Problem }, code: string): Problem {
  if (answer.error?.code !== code) throw new Error(`expected ${code}, not ${JSON.stringify(answer)}`);
  return answer.error;
}

function same<T>(one: T, other: T): void {
  if (one !== other) throw new Error(`${JSON.stringify(one)} is not ${JSON.stringify(other)}`);
}

export async function run(baseUrl: string, key: string): Promise<void> {
  const scrip = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
  const today = `host-${Date.now()}`;
  let commands = 0;
  const once = () => ({ "Idempotency-Key": `${today}-${++commands}` });

  // What there is to buy, and the time that it goes by.
  const catalog: Schemas["Catalog"] = done(await scrip.GET("/api/v1/catalog"));
  const action = catalog.actions.find(({ cost }) => typeof cost === "number");
  if (!action) throw new Error("no action has a fixed price");
  const price: number = action.cost ?? 0;
  const clock: Schemas["TestClock"] = done(await scrip.GET("/api/v1/test/clock"));
  same(clock.standing, false);
  done(await scrip.PUT("/api/v1/test/clock", { body: { now: null } }));

  // A user signs up at the host.
  const body: Schemas["NewAccount"] = { external_id: today, name: "Ada", email: null };
  const { id: account } = done(await scrip.POST("/api/v1/accounts", { body }));
  const params = { path: { account } };
  const profile: Schemas["Account"] = done(await scrip.GET("/api/v1/accounts/{account}", { params }));
  same(profile.external_id, today);

  // The user buys a pack, and gets a plan that begins later.
  const pack: Schemas["Lot"] = done(
    await scrip.POST("/api/v1/accounts/{account}/grants", {
      params: { ...params, header: once() },
      body: { amount: 100, source: "pack", reason: "A pack", reference: "order 7", metadata: { lines: ["a", 7] } },
    }),
  );
  same(pack.state, "active" as const);
  const tomorrow = new Date(Date.now() + 24 * 3600 * 1000).toISOString();
  const plan = done(
    await scrip.POST("/api/v1/accounts/{account}/grants", {
      params: { path: { account: `ext_${today}` }, header: once() },
      body: { amount: 50, source: "plan", priority: 5, effective_at: tomorrow, expires_at: null, reason: "A plan" },
    }),
  );
  same(plan.state, "scheduled" as const);
  const balance: Schemas["Balance"] = done(await scrip.GET("/api/v1/accounts/{account}/balance", { params }));
  same(balance.scheduled, 50);
  const before: number = balance.available;

  // Ask, then spend; and again, as after an answer that was lost.
  const quote: Schemas["Quote"] = done(await scrip.POST("/api/v1/quotes", { body: { account, action: action.key } }));
  if (!quote.allowed) throw new Error(`refused: ${quote.refusal ?? ""}, ${quote.shortfall} missing`);
  same(quote.cost, price);
  const header = once();
  const spend = { account, action: action.key, cost: quote.cost, metadata: { job: "j-1" } };
  const first = await scrip.POST("/api/v1/spends", { params: { header }, body: spend });
  const entry: Schemas["Entry"] = done(first);
  const again = await scrip.POST("/api/v1/spends", { params: { header }, body: spend });
  same(done(again).id, entry.id);
  same(again.response.headers.get("idempotent-replayed"), "true");
  const paid: number = entry.allocations.reduce((sum, { amount }) => sum + amount, 0);
  same(paid, price);

  // What can't be.
  const tooMuch = await scrip.POST("/api/v1/spends", {
    params: { header: once() },
    body: { account, amount: 1_000_000 },
  });
  same(refused(tooMuch, "insufficient_credits").shortfall, 1_000_000 - (before - price));
  const stale = await scrip.POST("/api/v1/spends", {
    params: { header: once() },
    body: { account, action: action.key, cost: price + 1 },
  });
  same(refused(stale, "price_changed").cost, price);

  // Many at once: each for itself.
  const spends: Schemas["BatchSpend"][] = [1, 2, 1_000_000].map((amount) => ({
    idempotency_key: once()["Idempotency-Key"],
    account,
    amount,
    description: `amount ${amount}`,
  }));
  const batch: Schemas["Batch"] = done(await scrip.POST("/api/v1/spends/batch", { body: { spends } }));
  const told = batch.outcomes.map(({ status, entry, problem }) =>
    entry ? `${status} ${entry.delta}` : problem ? `${status} ${problem.code}` : `${status}`,
  );
  same(told.join(), "201 -1,201 -2,402 insufficient_credits");

  // Work whose outcome is not known: one hold is captured for less, another released.
  const hold: Schemas["Hold"] = done(
    await scrip.POST("/api/v1/holds", { params: { header: once() }, body: { account, amount: 10, expires_in: 60 } }),
  );
  const capture = { path: { hold: hold.id }, header: once() };
  const captured = done(await scrip.POST("/api/v1/holds/{hold}/capture", { params: capture, body: { amount: 4 } }));
  same(captured.hold, hold.id);
  const other = done(
    await scrip.POST("/api/v1/holds", { params: { header: once() }, body: { account, action: action.key } }),
  );
  const release = { path: { hold: other.id }, header: once() };
  same(done(await scrip.POST("/api/v1/holds/{hold}/release", { params: release })).kind, "release" as const);
  refused(
    await scrip.POST("/api/v1/holds/{hold}/release", { params: { path: { hold: hold.id }, header: once() } }),
    "hold_closed",
  );

  // It did not work out for the user.
  const refund = { spend: captured.id, amount: 1, reason: "It was blurred" };
  same(done(await scrip.POST("/api/v1/refunds", { params: { header: once() }, body: refund })).spend, captured.id);
  const voided = { path: { lot: plan.id }, header: once() };
  const cancelled = { reason: "The plan was cancelled" };
  same(done(await scrip.POST("/api/v1/lots/{lot}/void", { params: voided, body: cancelled })).kind, "void" as const);

  // What came of it: lots and entries page by page, usage, and all entries as a file.
  const lots: Schemas["Lot"][] = [];
  for (let starting_after: string | undefined; ; ) {
    const query = { limit: 1, ...(starting_after && { starting_after }) };
    const page: Schemas["Page_Lot"] = done(
      await scrip.GET("/api/v1/accounts/{account}/lots", { params: { ...params, query } }),
    );
    lots.push(...page.data);
    starting_after = page.data.at(-1)?.id;
    if (!page.has_more) break;
  }
  same(lots.at(0)?.state, "void" as const);
  const kind: Kind = "capture";
  const query: EntriesQuery = { kind, to: tomorrow, limit: 5 };
  const entries = done(await scrip.GET("/api/v1/accounts/{account}/entries", { params: { ...params, query } }));
  if (typeof entries === "string") throw new Error("that was to be JSON");
  same(entries.data.map(({ id }) => id).join(), captured.id);
  const file = done(
    await scrip.GET("/api/v1/accounts/{account}/entries", {
      params,
      headers: { Accept: "text/csv" },
      parseAs: "text",
    }),
  );
  same(file.includes(captured.id), true);
  const usage: Schemas["Page_Usage"] = done(
    await scrip.GET("/api/v1/accounts/{account}/usage", { params: { ...params, query: { action: action.key } } }),
  );
  same(usage.data.reduce((sum, { credits }) => sum + credits, 0), price);

  // A plan of the catalog, where it has one: begun, looked at, and ended at once.
  const paidPlan = catalog.plans.find(({ price }) => price !== null);
  if (paidPlan) {
    const asked = { params, body: { plan: paidPlan.key } };
    const begun: Schemas["Subscription"] = done(
      await scrip.PUT("/api/v1/accounts/{account}/subscription", asked),
    );
    same(begun.state, "active");
    const looked: Schemas["Subscription"] = done(
      await scrip.GET("/api/v1/accounts/{account}/subscription", { params }),
    );
    same(looked.period_end, begun.period_end);
    const ended: Schemas["Subscription"] = done(
      await scrip.DELETE("/api/v1/accounts/{account}/subscription", {
        params: { ...params, query: { at_once: true } },
      }),
    );
    same(ended.state, "ended");
  }

  // A pack of the catalog, where it has one: sold by a payment page that nobody has paid on yet.
  const [soldPack] = catalog.packs;
  if (soldPack) {
    const back = "http://localhost:8080/back";
    const session: Schemas["CheckoutSession"] = done(
      await scrip.POST("/api/v1/accounts/{account}/checkout-sessions", {
        params: { ...params, header: once() },
        body: { pack: soldPack.key, success_url: back, cancel_url: back },
      }),
    );
    const sold: Schemas["Purchase"] = done(
      await scrip.GET("/api/v1/purchases/{purchase}", { params: { path: { purchase: session.purchase } } }),
    );
    same(sold.state, "pending");
  }

  // The user's balance as it changes: the first of the stream.
  const watch = new AbortController();
  const events = await scrip.GET("/api/v1/accounts/{account}/events", {
    params: { ...params, header: { "Last-Event-ID": String(balance.version) } },
    parseAs: "stream",
    signal: watch.signal,
  });
  const event = await done(events)?.getReader().read();
  same(new TextDecoder().decode(event?.value).includes("event: balance"), true);
  watch.abort();

  // The user looks at Scrip's own pages.
  const session: Schemas["PortalSession"] = done(
    await scrip.POST("/api/v1/accounts/{account}/portal-sessions", {
      params,
      body: { return_url: "http://localhost:8080/account" },
    }),
  );
  same(session.account, account);
}

// Each of these must not compile: a client that is told less than this by its types is told nothing.
export async function mistakes(scrip: ReturnType<typeof createClient<paths>>): Promise<void> {
  // @ts-expect-error: there is no such call
  await scrip.GET("/api/v1/wallets");
  // @ts-expect-error: a command has a key
  await scrip.POST("/api/v1/spends", { body: { account: "ext_a", amount: 1 } });
  const params = { header: { "Idempotency-Key": "k" } };
  // @ts-expect-error: somebody pays
  await scrip.POST("/api/v1/spends", { params, body: { amount: 1 } });
  // @ts-expect-error: credits are numbers
  await scrip.POST("/api/v1/spends", { params, body: { account: "ext_a", amount: "1" } });
  const path = { account: "ext_a" };
  const gift = { amount: 1, source: "gift" as const, reason: "r" };
  // @ts-expect-error: there is no such source
  await scrip.POST("/api/v1/accounts/{account}/grants", { params: { ...params, path }, body: gift });
  // @ts-expect-error: there is no such kind
  await scrip.GET("/api/v1/accounts/{account}/entries", { params: { path, query: { kind: "theft" } } });
  const { data, error } = await scrip.GET("/api/v1/catalog");
  // @ts-expect-error: it may have failed
  data.actions.at(0);
  // @ts-expect-error: or not
  error.code.at(0);
}
