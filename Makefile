# The commands for contributors. `make` lists them.

PREFIX ?= /usr/local
DESTDIR ?=
BINARY = target/release/longshore

# Prepares what the tests need, and puts it into the environment of the command that follows.
WITH_ENGINE = mkdir -p .cache && tools/shells && base=$$(tools/engine) && \
	tools/docker-clients >.cache/clients.tsv && \
	python=$$(tools/pytest-env) && tools/test-packages && \
	LONGSHORE_TEST_BASE=$$base \
	LONGSHORE_TEST_CLIENTS='$(CURDIR)/.cache/clients.tsv' \
	LONGSHORE_TEST_PYTHON=$$python

.DEFAULT_GOAL := help
.PHONY: help build demo demo-remote demo-swarm test snapshots soak check deny fuzz bench papers picture install static deb clean toolchain

help: ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

build: ## build the release binary, target/release/longshore
	cargo build --release --locked

demo: build ## build an image, run a program in it, and show the results
	tools/engine >/dev/null
	tools/demo

demo-remote: demo ## run the same job on an engine behind ssh, which is set up on this machine; needs root
	tools/demo-elsewhere remote

demo-swarm: demo ## run the same job on a swarm of three nodes, which is set up on this machine; needs root
	tools/demo-elsewhere swarm

check: toolchain ## check formatting, lints and the minimum Rust version; needs no engine
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	tools/rust-version

deny: ## check licences, duplicates, sources and advisories of the dependencies
	tools/deny

test: check ## run check and deny, then all tests with a real engine
	tools/deny --no-advisories
	$(WITH_ENGINE) INSTA_UPDATE=no cargo test --locked

snapshots: ## run all tests and accept the new output; then see git diff
	@rm -f tests/it/snapshots/*.snap.new
	$(WITH_ENGINE) INSTA_UPDATE=always cargo test --locked --test it

soak: ## kill a thousand processes, restart engines under many jobs, and compare every job with the truth
	$(WITH_ENGINE) cargo test --locked --test it -- --ignored soak --nocapture --test-threads 1

fuzz: ## run each fuzz target for FUZZ_SECONDS (600); needs a nightly toolchain
	tools/fuzz

STRICT = $(filter --strict,$(BENCH))
bench: build ## compare longshore with docker, docker-py and the usual tools; BENCH="--docs" renews docs/performance.md
	python=$$(tools/pytest-env) && "$$python" tools/bench $(BENCH)
	tools/bench-peers && tools/bench-queue $(STRICT) && tools/bench-builds $(STRICT) && tools/bench-swarm $(STRICT)
	.cache/venv/bin/python tools/bench-growth $(STRICT)

papers: ## regenerate man pages, schemas and the lists in the README
	UPDATE_PAPERS=1 cargo test --locked papers

picture: build ## draw the picture of the README from a real session, docs/longshore.svg
	tools/picture

install: build ## install binary, man pages and completions under PREFIX (/usr/local)
	install -D -m 755 $(BINARY) '$(DESTDIR)$(PREFIX)/bin/longshore'
	install -d '$(DESTDIR)$(PREFIX)/share/man/man1'
	install -m 644 man/*.1 '$(DESTDIR)$(PREFIX)/share/man/man1'
	install -D -m 644 completions/longshore.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/longshore'
	install -D -m 644 completions/_longshore '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_longshore'
	install -D -m 644 completions/longshore.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/longshore.fish'

static: ## build a program that needs no shared library, target/static/longshore, and try it out in a container
	tools/static

deb: build ## build a Debian package, target/debian/longshore_*.deb, and try it out in a container
	tools/deb

clean: ## remove target and .cache
	cargo clean
	rm -rf .cache

toolchain:
	@command -v cargo >/dev/null || { echo "error: cargo is not installed" >&2; exit 1; }
	@command -v python3 >/dev/null || { echo "error: python3 is not installed" >&2; exit 1; }
	@cargo fmt --version >/dev/null 2>&1 || { echo "error: rustfmt is missing" >&2; echo "hint: rustup component add rustfmt" >&2; exit 1; }
	@cargo clippy --version >/dev/null 2>&1 || { echo "error: clippy is missing" >&2; echo "hint: rustup component add clippy" >&2; exit 1; }
