# Two commands for a newcomer: `make demo` and `make test`. Both install what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
CARGO ?= cargo
export CARGO_INCREMENTAL ?= 0

.PHONY: help demo test lint unit docs deny fuzz bench agreement attacks soak release clean

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

soak: ## 500 kills over the spool and the log, a million schedules of the commit protocol, 1,000 random cases of each oracle
	TELLTALE_KILLS=500 TELLTALE_SCHEDULES=1000000 TELLTALE_REAL_SCHEDULES=10000 $(CARGO) test --locked --package telltale-partition -- --nocapture
	TELLTALE_KILLS=500 $(CARGO) test --locked --package telltale-bus -- --nocapture
	TELLTALE_ORACLE_CASES=1000 $(CARGO) test --locked --package telltale-engine -- --nocapture

fuzz: ## every fuzz target for FUZZ_SECONDS (default 600) seconds
	@scripts/fuzz.sh "$${FUZZ_SECONDS:-600}"

bench: ## decoding against tshark, rules and windows against queries, the log; figures and ratios
	@scripts/need.sh bench
	@benches/decode_vs_tshark.sh
	$(CARGO) bench --locked --package telltale-engine --bench rules
	$(CARGO) bench --locked --package telltale-engine --bench memory
	$(CARGO) bench --locked --package telltale-bus --bench log

release: ## the optimised binary
	$(CARGO) build --locked --release --package telltale

clean:
	$(CARGO) clean
