# Two commands for a newcomer: `make demo` and `make test`. Both install what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
CARGO ?= cargo
export CARGO_INCREMENTAL ?= 0

.PHONY: help demo test lint unit docs deny fuzz bench agreement attacks release clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: ## the main job on real traffic: a plant's story, from capture to alerts
	@scripts/need.sh build
	$(CARGO) build --locked --package telltale
	@"$$(scripts/target-dir.sh)/debug/telltale" demo

test: lint deny unit docs ## everything that CI runs

lint: ## formatting and clippy, warnings are errors
	@scripts/need.sh build
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@scripts/import-order.sh

unit: ## unit, golden, property and integration tests
	@scripts/need.sh test
	$(CARGO) test --locked --workspace

docs: ## API docs, warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items

deny: ## licences, banned crates, sources, unused dependencies
	@scripts/deny.sh

agreement: ## decoded PDUs against the tshark truth, capture by capture
	$(CARGO) test --locked --package telltale-capture --test agreement -- --nocapture

attacks: ## what fires on each attack and each benign capture
	$(CARGO) test --locked --package telltale --test attacks -- --nocapture

fuzz: ## every fuzz target for FUZZ_SECONDS (default 600) seconds
	@scripts/fuzz.sh "$${FUZZ_SECONDS:-600}"

bench: ## decoding against tshark, 300 rules against queries; figures and ratios
	@scripts/need.sh bench
	@benches/decode_vs_tshark.sh
	$(CARGO) bench --locked --package telltale-engine --bench rules
	$(CARGO) bench --locked --package telltale-engine --bench memory

release: ## the optimised binary
	$(CARGO) build --locked --release --package telltale

clean:
	$(CARGO) clean
