// snarkjs' side of the interop tests: `node snarkjs.mjs COMMAND ...` with files as arguments, run from where snarkjs is installed.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const snarkjs = require("snarkjs");
const json = (file) => JSON.parse(readFileSync(file, "utf8"));
const save = (file, value) => writeFileSync(file, JSON.stringify(value));

const commands = {
  // A ceremony of one contribution to each phase, worth nothing.
  async setup(r1cs, power, zkey, vk, prepared) {
    const [fresh, contributed, first] = [{}, {}, {}].map((file) => Object.assign(file, { type: "mem" }));
    const curve = await snarkjs.curves.getCurveFromName("bn128");
    await snarkjs.powersOfTau.newAccumulator(curve, Number(power), fresh);
    await snarkjs.powersOfTau.contribute(fresh, contributed, "test", "entropy");
    await snarkjs.powersOfTau.preparePhase2(contributed, prepared);
    await snarkjs.zKey.newZKey(r1cs, prepared, first);
    await snarkjs.zKey.contribute(first, zkey, "test", "entropy");
    save(vk, await snarkjs.zKey.exportVerificationKey(zkey));
  },
  // Whether a key is this circuit's, from these powers of tau, by the contributions that it records.
  async audit(r1cs, prepared, zkey) {
    if (!(await snarkjs.zKey.verifyFromR1cs(r1cs, prepared, zkey))) throw new Error("invalid key");
  },
  async exportvk(zkey, vk) {
    save(vk, await snarkjs.zKey.exportVerificationKey(zkey));
  },
  async witness(wasm, input, wtns) {
    await snarkjs.wtns.calculate(json(input), wasm, wtns);
  },
  // With r and s given, the proof is theirs alone.
  async prove(zkey, wtns, proof, publicSignals, ...blinding) {
    if (blinding.length) {
      const { Fr } = await snarkjs.curves.getCurveFromName("bn128");
      Fr.random = () => Fr.e(blinding.shift());
    }
    const out = await snarkjs.groth16.prove(zkey, wtns);
    if (blinding.length) throw new Error("r and s were not drawn");
    save(proof, out.proof);
    save(publicSignals, out.publicSignals);
  },
  async verify(vk, publicSignals, proof) {
    const valid = await snarkjs.groth16.verify(json(vk), json(publicSignals), json(proof));
    if (!valid) throw new Error("invalid proof");
  },
};

const [command, ...files] = process.argv.slice(2);
await commands[command](...files);
process.exit(0); // its worker threads would stay
