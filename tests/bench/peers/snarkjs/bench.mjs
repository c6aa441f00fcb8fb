// snarkjs on the cases of the prover bench: `node bench.mjs groth16|verify SCALARS LOG_SIZE INPUTS`, where INPUTS also holds the
// bench circuit's files below SCALARS-LOG_SIZE. The protocol is that of prover/crates/bench/README.md; the result is a proof.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as snarkjs from "snarkjs";

const [name, kind, logSize, inputs] = process.argv.slice(2);
// In memory, so that a run reads no file.
const load = (extension) => new Uint8Array(readFileSync(join(inputs, `${kind}-${logSize}`, `circuit.${extension}`)));
const zkey = { type: "mem", data: load("zkey") };
const wtns = { type: "mem", data: load("wtns") };

const { proof, publicSignals } = await snarkjs.groth16.prove(zkey, wtns);
const key = await snarkjs.zKey.exportVerificationKey(zkey);
const verify = async () => {
  if (!(await snarkjs.groth16.verify(key, publicSignals, proof))) throw new Error("the proof does not verify");
};
await verify();
const runs = { groth16: () => snarkjs.groth16.prove(zkey, wtns), verify };
const run = runs[name];
if (run === undefined) throw new Error(`no case ${name}`);

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ result: "", proof, public: publicSignals });
for await (const _ of createInterface({ input: process.stdin })) {
  const start = process.hrtime.bigint();
  await run();
  say({ seconds: Number(process.hrtime.bigint() - start) / 1e9 });
}
process.exit(0); // its worker threads would stay
