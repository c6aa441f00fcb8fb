// Lists a market's models and jobs, and where each job stands:
//
//   npm install
//   node jobs.mjs http://127.0.0.1:8545 DEPLOYMENT.json ../../node/src/assay_node/abi
import { readFileSync } from "node:fs"
import { createPublicClient, formatEther, http } from "viem"

const STATES = ["none", "open", "awarded", "accepted", "settled", "expired", "refunded", "cancelled"]

const [url, deploymentFile, abiFolder] = process.argv.slice(2)
const deployment = JSON.parse(readFileSync(deploymentFile, "utf8"))
const abiOf = (name) => {
  const found = JSON.parse(readFileSync(`${abiFolder}/${name}.json`, "utf8"))
  return Array.isArray(found) ? found : found.abi
}
const client = createPublicClient({ transport: http(url) })
const fromBlock = BigInt(deployment.block)

const models = await client.getContractEvents({
  address: deployment.models, abi: abiOf("ModelRegistry"), eventName: "ModelRegistered", fromBlock,
})
for (const { args } of models) console.log(`model ${args.modelId} of ${args.owner}`)

const market = { address: deployment.market, abi: abiOf("Market") }
const jobs = await client.getContractEvents({ ...market, eventName: "JobSubmitted", fromBlock })
for (const { args } of jobs) {
  const job = await client.readContract({ ...market, functionName: "jobOf", args: [args.jobId] })
  console.log(`job ${args.jobId} ${STATES[job.state]}, ceiling ${formatEther(job.maxPrice)} ETH`)
}
