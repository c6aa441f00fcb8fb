#!/usr/bin/env node
// Writes ABI and bytecode of the deployable contracts to node/src/assay_node/abi/, where Python ships them as package
// data, and every custom error that they or a library of theirs declare: assembly reverts with some that no contract's
// own ABI names. `--check` writes nothing and fails if a file would change. The output depends on the sources and the pinned
// compiler alone: keys are sorted, and the compiler appends no metadata.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const CONTRACTS = [
  "Groth16Verifier",
  "ModelRegistry",
  "Vault",
  "WorkerRegistry",
  "Market",
  "DataRegistry",
  "Certificates",
];

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const target = resolve(root, "../node/src/assay_node/abi");
const check = process.argv.includes("--check");

const sorted = (value) => {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
};

const artefact = (name) => {
  const built = JSON.parse(readFileSync(join(root, "out", `${name}.sol`, `${name}.json`), "utf8"));
  for (const code of [built.bytecode, built.deployedBytecode]) {
    if (Object.keys(code.linkReferences).length !== 0) throw new Error(`${name} needs linking`);
  }
  const content = {
    abi: built.abi,
    bytecode: built.bytecode.object,
    contractName: name,
    deployedBytecode: built.deployedBytecode.object,
  };
  return `${JSON.stringify(sorted(content), null, 2)}\n`;
};

const compiled = () =>
  readdirSync(join(root, "out"), { recursive: true })
    .filter((path) => path.endsWith(".json") && !path.startsWith("build-info"))
    .map((path) => JSON.parse(readFileSync(join(root, "out", path), "utf8")))
    // Tests and examples are compiled beside the contracts, and have errors of their own.
    .filter((built) =>
      Object.keys(built.metadata?.settings.compilationTarget ?? {}).every((source) => /^(src|node_modules)\//.test(source)),
    );

const errors = () => {
  const bySignature = new Map();
  for (const built of compiled()) {
    for (const entry of built.abi.filter(({ type }) => type === "error")) {
      bySignature.set(`${entry.name}(${entry.inputs.map(({ type }) => type)})`, entry);
    }
  }
  const abi = [...bySignature.keys()].sort().map((signature) => bySignature.get(signature));
  return `${JSON.stringify(sorted({ abi }), null, 2)}\n`;
};

execFileSync(join(root, "scripts/forge.sh"), ["build", "--skip", "test"], { stdio: ["ignore", "ignore", "inherit"] });

const wanted = new Map(CONTRACTS.map((name) => [`${name}.json`, artefact(name)]));
wanted.set("errors.json", errors());
const present = existsSync(target) ? readdirSync(target).filter((file) => file.endsWith(".json")) : [];
const stale = present.filter((file) => !wanted.has(file));
const changed = [...wanted].filter(([file, text]) => {
  const path = join(target, file);
  return !existsSync(path) || readFileSync(path, "utf8") !== text;
});

if (check) {
  const problems = [...stale, ...changed.map(([file]) => file)];
  if (problems.length !== 0) {
    console.error(`out of date: ${problems.join(", ")}; run contracts/scripts/export_abi.mjs`);
    process.exit(1);
  }
  console.log(`${wanted.size} artefacts are up to date`);
} else {
  if (stale.length !== 0) throw new Error(`not ours, remove by hand: ${stale.join(", ")}`);
  mkdirSync(target, { recursive: true });
  for (const [file, text] of changed) writeFileSync(join(target, file), text);
  console.log(`${changed.length} of ${wanted.size} artefacts written`);
}
