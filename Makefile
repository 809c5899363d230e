# Needs git, make, npm (with node) and coreutils. Deno itself comes from npm into .tools/; nothing
# is installed outside the checkout, except by "make demo" and "make test" on Debian, which get
# what they need with apt-get (see tools/need_packages.sh).

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup build floor demo ok test chaos bench bench-listener bench-rules clean

ARCH ?= x64 arm64
FILE ?= $(wildcard dist/superbell-linux-x64 dist/superbell-linux-arm64)

DENO_VERSION := $(shell cat .dvmrc)
DENO := "$(CURDIR)/.tools/node_modules/.bin/deno"

export DENO_DIR := $(CURDIR)/.tools/deno-cache
export DENO_NO_UPDATE_CHECK := 1
# Behind a proxy that opens TLS, Deno before 2.9 must be told to trust the system's certificates.
export DENO_TLS_CA_STORE := system,mozilla

# npm wants a home directory for its cache; some build machines have none.
ifeq ($(and $(HOME),$(wildcard $(HOME)/.)),)
export HOME := $(CURDIR)/.tools/home
endif
# npm reads its registry from this variable in either case, Deno only in capitals.
ifdef npm_config_registry
export NPM_CONFIG_REGISTRY ?= $(npm_config_registry)
endif

help:
	@echo 'make setup           get the pinned Deno and the packages from npm (make does it when needed)'
	@echo 'make build           dist/superbell-linux-x64, -arm64 and SHA256SUMS; ARCH=x64 for one'
	@echo 'make build COMPRESS=1  also .xz copies (.gz where there is no xz), for many servers'
	@echo 'make floor FILE=...  the oldest glibc that an executable starts with, and why'
	@echo 'make demo            see it work: supervisord, crashing programs, messages'
	@echo 'make ok              formatting, lint and types: seconds'
	@echo 'make test            everything: ok, build, all tests'
	@echo 'make chaos           prove what is promised: mass kill, kill -9, faults (13 minutes); ONLY=kill_nine'
	@echo 'make bench           measure it beside other listeners; writes docs/benchmarks.md (10 minutes)'
	@echo 'make bench-listener  only how long supervisord waits for it'
	@echo 'make bench-rules     what the rules cost for each event'
	@echo 'make clean           remove what was built (rm -r .tools also removes Deno and the caches)'

# Deno reports its version in 15 ms, so asking beats any stamp file. The second part costs nothing
# when the packages are there, and fails when deno.lock does not match deno.json.
setup:
	@if [ "$$($(DENO) --version 2>/dev/null | cut -d ' ' -f 2 | head -n 1)" != "$(DENO_VERSION)" ]; then \
		echo 'Getting Deno $(DENO_VERSION) from npm (about 50 MB, 5 s to a minute)'; \
		mkdir -p .tools "$$HOME"; \
		npm install --prefix .tools --no-save --no-package-lock --no-audit --no-fund \
			--prefer-offline --loglevel=error deno@$(DENO_VERSION) >/dev/null || exit 1; \
		[ "$$($(DENO) --version | cut -d ' ' -f 2 | head -n 1)" = "$(DENO_VERSION)" ] || \
			{ echo "Cannot run .tools/node_modules/.bin/deno: npm installed it, but it is not Deno $(DENO_VERSION)"; exit 1; }; \
	fi
	@$(DENO) install --quiet --frozen

# tools/build.ts decides by content what must be built again, so there are no prerequisites here.
build: setup
	@$(DENO) run -A tools/build.ts $(if $(COMPRESS),--compress) $(ARCH)

floor: setup
	@$(DENO) run -A tools/floor.ts $(FILE)

demo: setup
	@$(DENO) run -A tools/build.ts host
	@$(DENO) run -A tools/demo.ts

ok: setup
	@echo 'Checking formatting, lint and types (about 10 s)'
	@$(DENO) fmt --check
	@$(DENO) lint
	@$(DENO) check --quiet .

test: ok
	@sh tools/need_packages.sh supervisor python3-aiosmtpd openssl
	@$(DENO) run -A tools/build.ts host
	@echo 'Running the tests (a few minutes)'
	@$(DENO) test -A --no-check --v8-flags=--enable-experimental-regexp-engine tests/

chaos: setup
	@sh tools/need_packages.sh supervisor python3-aiosmtpd openssl
	@$(DENO) run -A tools/build.ts host
	@$(DENO) run -A tests/chaos/main.ts $(ONLY)

bench: setup
	@sh tools/need_packages.sh supervisor gcc xz-utils
	@$(DENO) run -A tools/build.ts host
	@$(DENO) run -A bench/main.ts

bench-listener: setup
	@$(DENO) run -A tools/build.ts host
	@$(DENO) run -A bench/main.ts answer

bench-rules: setup
	@$(DENO) run -A bench/rules.ts

clean:
	rm -rf dist .tools/stamps .tools/stage-* .tools/npm-pack-*
