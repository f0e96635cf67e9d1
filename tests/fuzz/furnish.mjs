// Puts into a new server what the fuzzer is to find there: accounts with credits, and spends that can be refunded.
// Writes as JSON what they are called.
//
//   node tests/fuzz/furnish.mjs BASE_URL <KEY

import { readFileSync } from "node:fs";

const [base] = process.argv.slice(2);
const authorization = `Bearer ${readFileSync(0, "utf8").trim()}`;
const started = Date.now();
let calls = 0;

async function post(path, body) {
  const response = await fetch(`${base}/api/v1${path}`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json", "idempotency-key": `furnish-${started}-${++calls}` },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const accounts = [];
for (let number = 1; number <= 8; number++) {
  const { id } = await post("/accounts", { external_id: `fuzz ${number}` });
  // As much as one grant may be, so that most of what is asked for can be paid.
  await post(`/accounts/${id}/grants`, { amount: 1e12, source: "pack", reason: "to be spent" });
  accounts.push(number % 2 ? id : `ext_fuzz ${number}`);
}
const spends = Array.from({ length: 100 }, (_, n) => ({
  idempotency_key: `furnish-${started}-spend-${n}`,
  account: accounts[n % accounts.length],
  amount: 1e9,
}));
const { outcomes } = await post("/spends/batch", { spends });
const back = "http://localhost:8080/account";
const page = { pack: "pack_50", success_url: back, cancel_url: back };
const { purchase } = await post(`/accounts/${accounts[0]}/checkout-sessions`, page);
console.log(JSON.stringify({
  accounts,
  spends: outcomes.map(({ entry }) => entry.id),
  // Of catalogs/video.toml, those with a fixed price.
  actions: ["upscale", "captions", "thumbnail"],
  plans: ["creator", "studio"],
  packs: ["pack_50", "pack_250"],
  purchases: [purchase],
}));
