// Lets the host application of host.ts live its day at the server at BASE_URL, with an admin's key from standard input.
// scripts/client has compiled it.
import { readFileSync } from "node:fs";
import { run } from "../../target/client/host.js";

await run(process.env.BASE_URL, readFileSync(0, "utf8").trim());
