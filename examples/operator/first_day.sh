#!/usr/bin/env bash
# An operator's first day on a chain of one's own: an account, money, a configuration, the registration.
#
#   first_day.sh BUNDLE FOLDER
#
# BUNDLE has its keys (`assay model setup`); the contracts are deployed (`assay deploy`); ASSAY_RPC names the node and
# ASSAY_PASSWORD the password. On another chain leave the faucet out and send the account its money.
set -euo pipefail
bundle=$1
folder=$2
mkdir -p "$folder"

# An account for this worker alone: whoever has its key has the stake.
assay keys new operator
assay faucet operator 20ether

# The configuration is yours to edit; init writes it once and picks free ports.
assay worker init "$bundle" --key operator --config "$folder/worker.json"

# On chain: where requesters reach the worker, the key inputs are sealed to, and what backs its bids.
assay worker register --config "$folder/worker.json" --stake 5ether
assay worker status --config "$folder/worker.json"

echo "Start it with: assay worker run --config $folder/worker.json"
echo "Then watch its health at http://127.0.0.1:METRICS_PORT/health, and look at its money by: assay worker status"
