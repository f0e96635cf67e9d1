// The program from outside its pages: servers with other catalogs, keys, and what a host application does with one.
import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { APIRequestContext } from "@playwright/test";

const ROOT = new URL("../..", import.meta.url).pathname;

export interface Server {
  url: string;
  dataDir: string;
}

/** The one that scripts/e2e has started. */
export const ours = (): Server => ({ url: process.env.BASE_URL!, dataDir: process.env.SCRIP_DATA_DIR! });

/** Starts a server with this catalog and a database of its own. It ends with the worker that runs the test. */
export async function serve(catalog: string): Promise<Server> {
  const told = ["sh", "-c", 'echo "$BASE_URL $SCRIP_DATA_DIR"; exec cat'];
  const server = spawn("scripts/with-server", told, {
    cwd: ROOT,
    env: { ...process.env, SCRIP_CATALOG: `catalogs/${catalog}.toml` },
    stdio: ["pipe", "pipe", "inherit"],
  });
  for await (const line of createInterface(server.stdout)) {
    const [url, dataDir] = line.split(" ");
    return { url: url!, dataDir: dataDir! };
  }
  throw new Error(`there is no server for ${catalog}`);
}

const keys = new Map<string, string>();

/** Calls the API as a host application that may do everything. */
export async function host(
  request: APIRequestContext, server: Server, method: string, path: string, data?: unknown,
) {
  const { url, dataDir } = server;
  if (!keys.has(dataDir)) {
    const asked = ["api-key", "create", "--name", "browser tests", "--scope", "admin"];
    const env = { ...process.env, SCRIP_DATA_DIR: dataDir };
    const made = execFileSync("target/debug/scrip", asked, { cwd: ROOT, env, stdio: ["ignore", "pipe", "ignore"] });
    keys.set(dataDir, made.toString().trim());
  }
  const headers = { Authorization: `Bearer ${keys.get(dataDir)}`, "Idempotency-Key": crypto.randomUUID() };
  const answer = await request.fetch(`${url}/api/v1${path}`, { method, headers, data });
  if (!answer.ok()) throw new Error(`${method} ${path}: ${answer.status()} ${await answer.text()}`);
  return answer.json();
}
