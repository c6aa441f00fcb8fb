#!/usr/bin/env node
// solc as forge expects it, from the npm package (WebAssembly, so one exact compiler on every platform).
// forge calls `--version` to learn the version and `--standard-json` with the whole input on stdin; nothing
// else is answered. Sources arrive inlined, so no import callback is needed.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const solc = createRequire(import.meta.url)("solc");
const args = process.argv.slice(2);

if (args.includes("--version")) {
  process.stdout.write(
    `solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace("Emscripten.clang", "Linux.g++")}\n`,
  );
} else if (args.includes("--standard-json")) {
  const output = solc.compile(readFileSync(0, "utf8"));
  // stdout may be a pipe: exiting before it drains would cut the answer.
  process.stdout.write(output);
} else {
  process.stderr.write(`solc.mjs answers --version and --standard-json only, got: ${args.join(" ")}\n`);
  process.exitCode = 2;
}
