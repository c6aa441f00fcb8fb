# `make help` lists the targets. Everything is built below this folder; nothing is installed system-wide.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CARGO_TARGET_DIR ?= $(CURDIR)/prover/target
export CARGO_TARGET_DIR
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

DEV_TOOLS := maturin mypy ruff pytest pytest-aiohttp pytest-asyncio pytest-timeout hypothesis scikit-learn skl2onnx py_ecc matplotlib mkdocs-material pdoc pyarrow web3
RUST_SOURCES := prover/Cargo.toml $(shell find prover/crates -name '*.rs' -o -name Cargo.toml)

# What comes from npm: foundry and the Solidity compiler; circom and snarkjs, whose formats the prover reads and writes.
NODE := $(shell command -v node)
SNARKJS := tests/bench/peers/snarkjs
ifneq ($(NODE),)
VIEM := examples/viem
NODE_TOOLS := contracts/node_modules/.assay-installed $(SNARKJS)/node_modules/.assay-installed $(VIEM)/node_modules/.assay-installed
CONTRACT_TESTS := test-contracts
endif

.DEFAULT_GOAL := help
.PHONY: help setup native node-tools wheels test-wheels test-lowest demo test test-rust test-counts test-python onnx-conformance test-contracts slither halmos differential deep-contracts lint format contracts docs bench bench-quick bench-models bench-node soak liar fuzz sanitize clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(VENV)/.ready native ## virtual environment, dependencies, native build

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python >= 3.11 is needed ($$($(PYTHON) --version)). Set PYTHON=/path/to/python3."; exit 1; }
	@command -v cargo >/dev/null || { echo "error: a Rust toolchain is needed (cargo was not found on PATH)."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The two distributions are installed in place; the native module has a rule of its own, so that Python edits need no rebuild.
$(VENV)/.ready: $(VENV)/.python constraints.txt prover/pyproject.toml node/pyproject.toml
	$(BIN)/pip install --quiet $(DEV_TOOLS)
	cd prover && ../$(BIN)/maturin develop --release --quiet
	$(BIN)/pip install --quiet -e 'node[devnet]'
	@touch $@ $(VENV)/.native

native: $(VENV)/.native ## build the native module (release)

$(VENV)/.native: $(VENV)/.ready $(RUST_SOURCES)
	cd prover && ../$(BIN)/maturin develop --release --quiet --skip-install
	@touch $@

node-tools: $(NODE_TOOLS) ## foundry, solc, circom and snarkjs from npm (needs Node >= 20)
	$(if $(NODE),,@echo "NOTE: Node was not found. What needs it is LEFT OUT: the contracts' own tests, and all tests on anvil, with cast, circom and snarkjs.")

contracts/node_modules/.assay-installed: contracts/package.json
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "error: Node >= 20 is needed ($$(node --version))."; exit 1; }
	contracts/scripts/forge.sh --version >/dev/null
	@touch $@

$(SNARKJS)/node_modules/.assay-installed: $(SNARKJS)/package.json
	cd $(SNARKJS) && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

# Wheels that install without a compiler: the native module against Python's stable ABI and, linked by zig, an old glibc.
GLIBC ?= 2_28
WHEELS := build/wheels

wheels: setup ## wheels of the three distributions in build/wheels (abi3, manylinux), checked by auditwheel
	$(BIN)/pip install --quiet auditwheel build ziglang
	rm -rf $(WHEELS) && mkdir -p $(WHEELS)
	cd prover && PATH="$(CURDIR)/$(BIN):$$PATH" ../$(BIN)/maturin build --release --quiet --zig --compatibility manylinux_$(GLIBC) \
	  --out ../$(WHEELS)
	$(BIN)/python -m build --quiet --wheel --outdir $(WHEELS) node
	$(BIN)/python -m build --quiet --wheel --outdir $(WHEELS) .
	$(BIN)/auditwheel show $(WHEELS)/assay_prover-*.whl
	$(BIN)/python tests/packaging/check_wheels.py $(WHEELS)

test-wheels: wheels ## install the wheels into an empty environment elsewhere, without cargo, and run the demo
	$(BIN)/python tests/packaging/install.py $(WHEELS)

$(VIEM)/node_modules/.assay-installed: $(VIEM)/package.json
	cd $(VIEM) && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

test-lowest: setup ## unit tests with the lowest version of every dependency (ARGS="--set numpy=2.1.0")
	$(BIN)/python tests/packaging/lowest.py $(ARGS)

demo: ## the main job end to end on the embedded chain; some minutes the first time, then ten seconds
	@mkdir -p build; test -e $(VENV)/.native || echo "Setting up first: Python packages and the prover's Rust core, some minutes, all below this folder."
	@$(MAKE) --no-print-directory setup >build/setup.log 2>&1 || { cat build/setup.log; exit 1; }
	@echo "The demo deploys a market on a chain of its own and plays one job on it; about ten seconds."
	$(BIN)/assay demo

test: lint test-rust test-counts test-python $(CONTRACT_TESTS) test-wheels ## set up and pass every test
	$(if $(NODE),@echo "Every test passed.",@echo "Passed, WITHOUT the tests that need Node (>= 20), which was not found.")

test-rust: ## the prover core's tests
	cd prover && cargo test --workspace --quiet

test-counts: setup ## instructions of the portable path, which must not grow (needs valgrind); ARGS=--update
	PYTHONPATH=tests $(BIN)/python -m bench.counts $(ARGS)

test-python: setup node-tools ## unit, integration, end-to-end and soundness tests
	$(BIN)/pytest

onnx-conformance: setup ## ONNX's node tests through importer and integers: passed, refused (why), wrong
	PYTHONPATH=tests $(BIN)/python -m conformance $(ARGS)

test-contracts: setup node-tools ## forge tests, gas snapshots, generated files are fresh (needs Node >= 20)
	contracts/scripts/forge.sh fmt --check
	FORGE_SNAPSHOT_CHECK=true contracts/scripts/forge.sh test
	contracts/scripts/export_abi.mjs --check
	$(BIN)/python contracts/test/vectors/generate.py --check

# Analysers of the contracts, in an environment of their own: they share no dependency with what is shipped.
ANALYSIS := build/analysis
ANALYSERS := slither-analyzer==0.11.6 halmos==0.3.3

$(ANALYSIS)/.ready: Makefile
	$(PYTHON) -m venv $(ANALYSIS)
	PIP_CONSTRAINT= $(ANALYSIS)/bin/pip install --quiet $(ANALYSERS)
	@touch $@

slither: $(ANALYSIS)/.ready node-tools ## Slither on the contracts; fails on what contracts/analysis/slither.md does not triage
	contracts/scripts/slither.py $(CURDIR)/$(ANALYSIS)/bin/slither

halmos: $(ANALYSIS)/.ready node-tools ## symbolic checks of vault and market, for all times and amounts; ARGS="--contract VaultSymbolic"
	contracts/scripts/halmos.sh $(CURDIR)/$(ANALYSIS)/bin/halmos $(ARGS)

differential: setup ## keys and proofs, valid and spoilt, judged by core, contracts and py_ecc for SECONDS
	PYTHONPATH=tests $(BIN)/python -m differential --seconds $(SECONDS) $(ARGS)

deep-contracts: node-tools ## fuzz tests and invariants of the contracts, some hundred times as long as in `make test`
	FOUNDRY_FUZZ_RUNS=10000 FOUNDRY_INVARIANT_RUNS=1000 FOUNDRY_INVARIANT_DEPTH=256 FOUNDRY_FUZZ_SEED=$$(od -An -N8 -tu8 /dev/urandom | tr -d ' ') \
	  contracts/scripts/forge.sh test --match-test 'testFuzz|invariant'

# A nightly compiler for what needs one; the prover itself is built by a stable one.
NIGHTLY ?= nightly
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
SANITIZE := $(CURDIR)/build/sanitize
FUZZ := $(CURDIR)/build/fuzz
TARGETS ?= $(patsubst prover/fuzz/fuzz_targets/%.rs,%,$(wildcard prover/fuzz/fuzz_targets/*.rs))
SECONDS ?= 60

fuzz: ## every format's fuzz target for SECONDS each; TARGETS="zkey r1cs" (needs nightly and cargo-fuzz)
	cd prover && ASSAY_FUZZ_SEEDS=$(FUZZ)/seeds cargo test --quiet -p assay-groth16 --test formats -- --ignored
	for target in $(TARGETS); do mkdir -p $(FUZZ)/corpus/$$target $(FUZZ)/artifacts/$$target && \
	  (cd prover && CARGO_TARGET_DIR=$(FUZZ)/target cargo +$(NIGHTLY) fuzz run $$target $(FUZZ)/corpus/$$target $(FUZZ)/seeds/$$target \
	    -- -max_total_time=$(SECONDS) -artifact_prefix=$(FUZZ)/artifacts/$$target/) || exit 1; done

sanitize: ## tests of kernels and prover under AddressSanitizer (needs nightly)
	cd prover && CARGO_TARGET_DIR=$(SANITIZE) RUSTFLAGS=-Zsanitizer=address \
	  cargo +$(NIGHTLY) test --quiet --target $(HOST) -p assay-bn254 -p assay-groth16 --lib --tests

lint: setup ## formatters, linters and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy prover/src node/src tests/integration tests/e2e tests/unit tests/soundness
	$(BIN)/python -m mypy.stubtest assay_prover._native
	cd prover && cargo fmt --all --check && cargo clippy --workspace --all-targets --quiet -- -D warnings

format: setup ## rewrite the sources in the project's format, and what is made from them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	PYTHONPATH=tests $(BIN)/python tests/unit/house/error_catalogue.py
	cd prover && cargo fmt --all

# Diagrams are drawn by a copy of Mermaid that stands beside the pages: readers' browsers ask no other host.
MERMAID := build/mermaid/package/dist/mermaid.min.js
docs: setup $(if $(NODE),$(MERMAID)) ## the documentation and the Python API as pages (build/docs)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	$(if $(NODE),cp $(MERMAID) build/docs/assets/mermaid.min.js,@echo "NOTE: Node was not found: diagrams stay text.")
	$(BIN)/pdoc --output-directory build/docs/api assay_prover assay_node
	@echo "The documentation is in $(CURDIR)/build/docs/index.html"

$(MERMAID):
	@mkdir -p build/mermaid
	cd build/mermaid && npm pack --silent mermaid@11.6.0 >/dev/null && tar xzf mermaid-11.6.0.tgz package/dist/mermaid.min.js

bench: setup ## the prover beside its peers (build/bench/prover.json, .svg); ARGS=--help
	PYTHONPATH=tests $(BIN)/python -m bench.prover $(ARGS)

bench-quick: setup ## the essential rows of the bench
	PYTHONPATH=tests $(BIN)/python -m bench.prover --quick $(ARGS)

bench-models: setup ## networks compiled and proved (build/bench/models.json, .svg); PEERS=1: EZKL too
	PYTHONPATH=tests $(BIN)/python -m bench.models $(if $(PEERS),--peers) $(ARGS)

bench-node: setup node-tools ## jobs under load and faults (build/bench/node.json); ARGS="speed faults floods reorgs proving-first soak --only TEXT"
	PYTHONPATH=tests $(BIN)/python -m bench.node $(ARGS)

soak: setup node-tools ## a thousand jobs with kills and faults; ARGS=--jobs=N
	PYTHONPATH=tests $(BIN)/python -m bench.node soak $(ARGS)

liar: setup ## every lie that a node could tell, to worker and to requester (hours); ARGS="--part 3/200", "--share 0.1 --match TEXT"
	PYTHONPATH=tests $(BIN)/python -m faults $(ARGS)

contracts: ## compile the contracts, refresh the checked-in ABI and gas snapshots (needs Node >= 20)
	contracts/scripts/export_abi.mjs
	contracts/scripts/forge.sh test --match-test test_gas

clean: ## remove everything that was built
	rm -rf build $(VENV) prover/target contracts/out contracts/cache contracts/node_modules $(SNARKJS)/node_modules $(VIEM)/node_modules
