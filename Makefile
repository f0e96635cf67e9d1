# What one does here every day. Each target is a script of scripts/, which says at its top what it does and why.

.PHONY: help run test dev build e2e fmt prepare bench torture mutants

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: ## install what is missing, build, and serve the demo on 127.0.0.1:3000
	@scripts/run

test: ## install what is missing, and run every check and test
	@scripts/test

dev: ## serve, and again at every change of a source
	@scripts/watch

build: ## the release: target/release/scrip and target/site
	@scripts/setup run
	@scripts/build --release

e2e: ## the browser tests alone
	@scripts/setup test
	@scripts/e2e

fmt: ## format the sources
	@cargo fmt

prepare: ## refresh .sqlx after a change of a query or a migration
	@scripts/setup test
	@scripts/prepare

bench: ## measure the ledger, and write docs/benchmarks.md
	@scripts/bench

torture: ## kill programs and databases under load, a thousand times over
	@scripts/torture

mutants: ## break the program in one place after another, and see that the tests notice
	@scripts/mutants
