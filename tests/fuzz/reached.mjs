// Reads from standard input how often each call was answered how (what hooks.py noted), prints it, and fails where a
// call was never carried out: then the fuzzer has only seen how it refuses.

import { readFileSync } from "node:fs";

const calls = new Map();
for (const { call, status, code, times } of JSON.parse(readFileSync(0, "utf8"))) {
  const answers = calls.get(call) ?? new Map();
  const name = code ? `${status} ${code}` : `${status}`;
  calls.set(call, answers.set(name, (answers.get(name) ?? 0) + times));
}

for (const [call, answers] of [...calls].sort()) {
  console.log(call);
  for (const [name, times] of [...answers].sort()) console.log(`  ${String(times).padStart(7)}  ${name}`);
}

const never = [...calls].filter(([, answers]) => ![...answers.keys()].some((name) => name.startsWith("2")));
for (const [call] of never) console.error(`\nnever carried out: ${call}`);
process.exit(never.length === 0 && calls.size > 0 ? 0 : 1);
