// The part of scripts/build that needs npm's tools: one style sheet out of style/, and for a release a compressed
// neighbour of each file that compresses, so that the server never compresses the same bytes twice.
//
//   node scripts/site.mjs SITE-FOLDER [--release]
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { bundle } from "lightningcss";

const [site, mode] = process.argv.slice(2);
const release = mode === "--release";

const { code } = bundle({ filename: "style/main.css", minify: release });
writeFileSync(join(site, "pkg", "scrip.css"), code);

if (release) {
  const compressible = /\.(wasm|js|css|svg|txt|webmanifest)$/;
  const kB = (bytes) => `${(bytes.length / 1000).toFixed(1)} kB`.padStart(12);
  console.log(`${"".padEnd(24)}${"as it is".padStart(12)}${"gzip".padStart(12)}${"brotli".padStart(12)}`);
  for (const name of readdirSync(site, { recursive: true }).filter((name) => compressible.test(name)).sort()) {
    const plain = readFileSync(join(site, name));
    const gzip = gzipSync(plain, { level: 9 });
    const brotli = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } });
    writeFileSync(join(site, `${name}.gz`), gzip);
    writeFileSync(join(site, `${name}.br`), brotli);
    console.log(`${name.padEnd(24)}${kB(plain)}${kB(gzip)}${kB(brotli)}`);
  }
}
