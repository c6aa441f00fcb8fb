#!/bin/sh
# forge with this folder's own tools: installs the pinned npm packages if they are missing or changed, then runs
# forge (or `forge.sh --tool anvil ...`, `--tool cast ...`) in this folder.
set -eu
cd "$(dirname "$0")/.."

stamp=node_modules/.assay-installed
if ! cmp -s package.json "$stamp" 2>/dev/null; then
  # The binaries are in the platform packages; no package's install script is needed.
  npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error >&2
  cp package.json "$stamp"
fi

tool=forge
if [ "${1:-}" = --tool ]; then
  tool=$2
  shift 2
fi
# The binary itself, not the package's launcher: that one answers 0 whatever the tool's exit status.
os=$(uname -s | tr '[:upper:]' '[:lower:]')
case $(uname -m) in
  x86_64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) echo "no $tool for $(uname -m)" >&2 && exit 1 ;;
esac
exec "node_modules/@foundry-rs/$tool-$os-$arch/bin/$tool" "$@"
