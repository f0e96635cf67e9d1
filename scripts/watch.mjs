// Builds and restarts the server whenever a source changes; a build that fails leaves the old server running.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, watch } from "node:fs";

const folders = ["src", "style", "public", "migrations", "catalogs", ".sqlx"];
const files = ["Cargo.toml", "Cargo.lock", "Leptos.toml"];
const quietFor = 200; // milliseconds: an editor's save is several events

let server;
let changed = true;
let building = false;
let timer;

const run = async (command) => (await once(spawn(command, { stdio: "inherit" }), "exit"))[0] === 0;

async function stop() {
  if (server?.exitCode === null && server.signalCode === null) {
    server.kill("SIGTERM");
    await once(server, "exit");
  }
}

async function serveAnew() {
  if (building) return;
  building = true;
  while (changed) {
    changed = false;
    if (await run("scripts/build")) {
      await stop();
      server = spawn("target/debug/scrip", ["serve"], { stdio: "inherit" });
    } else {
      console.log("== the build failed; waiting for the next change");
    }
  }
  building = false;
}

function noteChange() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    changed = true;
    serveAnew();
  }, quietFor);
}

for (const folder of folders.filter(existsSync)) watch(folder, { recursive: true }, noteChange);
// Through their folder: an editor may replace a file, and a watch of the file would stay with the old one.
watch(".", (_, name) => files.includes(name) && noteChange());

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => stop().then(() => process.exit()));

await serveAnew();
