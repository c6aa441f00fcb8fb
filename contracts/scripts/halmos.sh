#!/bin/sh
# halmos on the checks in test/symbolic: `scripts/halmos.sh PATH_TO_HALMOS [--contract VaultSymbolic ...]`. It calls forge
# by its bare name, so the pinned one is put on the PATH; only the checks and what they import are compiled.
set -eu
cd "$(dirname "$0")/.."
halmos=$1
shift
scripts/forge.sh --version >/dev/null
for forge in node_modules/@foundry-rs/forge-*-*/bin/forge; do
  PATH="$(cd "$(dirname "$forge")" && pwd):$PATH"
done
export PATH FOUNDRY_PROFILE=symbolic
exec "$halmos" --forge-build-out ../build/halmos/out --loop 4 --solver-timeout-assertion 120000 --no-status "$@"
