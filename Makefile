# What a newcomer types. `make` alone lists it.
.POSIX:
.SUFFIXES:
.PHONY: help demo test lint unit core-clients clients bench peers tools

# Where rustup puts cargo; a login shell may not have been started since.
PATH := $(HOME)/.cargo/bin:$(PATH)
export PATH

CARGO = cargo
# Flags of the demo, for example: make demo DEMO='--scale 0.1 --listen 127.0.0.1:6543'
DEMO =
TARGET = $${CARGO_TARGET_DIR:-target}

help:
	@echo 'make demo     build, make a sample brand, serve Postgres on 127.0.0.1:5433 and the web on 127.0.0.1:8433'
	@echo 'make test     format, lints, unit, SQL and integration tests, then psql, psycopg 3, JDBC and a reader of Delta tables'
	@echo 'make bench    benchmarks: load, scan, rfm, a query over the wire; then the same beside DuckDB'
	@echo 'make clients  every real client there is a program for (HENNA_CLIENTS_DIR adds drivers and BI tools)'

demo: cargo-is-there
	@echo '1/2 building the release binary: a first build compiles several hundred crates and takes a while, later ones only this one'
	@$(CARGO) build --release --bin henna
	@echo '2/2 starting the demo; Ctrl-C ends it, a second run reuses the lake'
	@"$(TARGET)/release/henna" demo $(DEMO)

test: lint unit core-clients

lint: cargo-is-there
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

# One test target after the other, in the order of cargo; a failed one stops the rest.
unit: cargo-is-there
	$(CARGO) test --workspace

core-clients: tools
	@tests/clients/run.sh core

# What cannot be installed is told and skipped.
clients: tools
	@tests/clients/tools.sh all || echo 'some clients are missing: their programs are skipped'
	@tests/clients/run.sh all

bench: cargo-is-there
	$(CARGO) bench --bench core
	@tests/clients/tools.sh duckdb
	@"$$(tests/clients/tools.sh python)" benches/peers.py

# With the examples, so that crates are built with the features that the tests built them with.
tools: cargo-is-there
	$(CARGO) build --workspace --bins --examples
	@tests/clients/tools.sh core

cargo-is-there:
	@command -v $(CARGO) >/dev/null || { echo 'cargo is missing: see https://rustup.rs, then: rustup toolchain install stable' >&2; exit 1; }
.PHONY: cargo-is-there
