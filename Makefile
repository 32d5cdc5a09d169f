# Everything a contributor types. `make` alone lists it.

PREFIX ?= /usr/local
DESTDIR ?=
BINARY = target/release/longshore

# Makes sure of what the tests need, and says so in the environment of the command that follows.
WITH_ENGINE = mkdir -p .cache && base=$$(tools/engine) && \
	tools/docker-clients >.cache/clients.tsv && \
	python=$$(tools/pytest-env) && \
	LONGSHORE_TEST_BASE=$$base \
	LONGSHORE_TEST_CLIENTS='$(CURDIR)/.cache/clients.tsv' \
	LONGSHORE_TEST_PYTHON=$$python

.DEFAULT_GOAL := help
.PHONY: help build demo test snapshots check deny bench papers install clean toolchain

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

build: ## the release binary, target/release/longshore
	cargo build --release --locked

demo: build ## build an image, run a program in it, read everything back
	tools/engine >/dev/null
	tools/demo

check: toolchain ## formatting, lints and the oldest Rust, no engine needed
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	tools/rust-version

deny: ## licences, duplicates, sources and known faults of the dependencies
	tools/deny

test: check ## check and deny, then every test, on a real engine
	tools/deny --no-advisories
	$(WITH_ENGINE) INSTA_UPDATE=no cargo test --locked

snapshots: ## every test, accepting what the commands print now: see git diff
	@rm -f tests/it/snapshots/*.snap.new
	$(WITH_ENGINE) INSTA_UPDATE=always cargo test --locked --test it

bench: build ## our times against docker's, side by side
	python=$$(tools/pytest-env) && "$$python" tools/bench

papers: ## write man pages, completions and the generated schemas anew
	UPDATE_PAPERS=1 cargo test --locked papers

install: build ## binary, man pages and completions under PREFIX (/usr/local)
	install -D -m 755 $(BINARY) '$(DESTDIR)$(PREFIX)/bin/longshore'
	install -d '$(DESTDIR)$(PREFIX)/share/man/man1'
	install -m 644 man/*.1 '$(DESTDIR)$(PREFIX)/share/man/man1'
	install -D -m 644 completions/longshore.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/longshore'
	install -D -m 644 completions/_longshore '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_longshore'
	install -D -m 644 completions/longshore.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/longshore.fish'

clean: ## what cargo built and what the tools keep in .cache
	cargo clean
	rm -rf .cache

toolchain:
	@command -v cargo >/dev/null || { echo "error: cargo is not installed" >&2; exit 1; }
	@command -v python3 >/dev/null || { echo "error: python3 is not installed" >&2; exit 1; }
	@cargo fmt --version >/dev/null 2>&1 || { echo "error: rustfmt is missing" >&2; echo "hint: rustup component add rustfmt" >&2; exit 1; }
	@cargo clippy --version >/dev/null 2>&1 || { echo "error: clippy is missing" >&2; echo "hint: rustup component add clippy" >&2; exit 1; }
