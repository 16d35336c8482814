# `make help` lists the targets. CMake builds; this file only puts the steps in order.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.PHONY: help setup demo build test test-asan test-tsan test-clang test-debug test-arm64 test-peers test-soak fuzz bench bench-micro format lint tidy
.PHONY: install clean

PREFIX ?= /usr/local
EMELEX := build/release/emelex
DEMO_NAME := smollm2-135m-instruct:q4_1
# The demo's registry, so that it leaves nothing outside the checkout but system packages.
DEMO_MODELS := $(CURDIR)/build/models-root
WHEEL_CACHE := $(or $(EMELEX_WHEEL_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/emelex/wheels)/clang
empty :=
space := $(empty) $(empty)

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 14

setup:  ## install what a build needs: system packages, and MLX in .venv
	@scripts/setup

build: setup  ## build/release, without tests
	@cmake --preset release -DEMELEX_BUILD_TESTS=OFF $(CMAKE_ARGS)
	@cmake --build --preset release

demo: setup  ## build, fetch a small model and let it answer a question
	@cmake --preset release -DEMELEX_BUILD_TESTS=OFF $(CMAKE_ARGS)
	@cmake --build --preset release --target emelex
	@scripts/fetch-demo-model >/dev/null
	@EMELEX_MODELS_DIR="$(DEMO_MODELS)" $(EMELEX) import build/models/SmolLM2-135M-Instruct.Q4_1.gguf >/dev/null
	@echo; echo "> What is the capital of France?"; echo
	@EMELEX_MODELS_DIR="$(DEMO_MODELS)" $(EMELEX) run $(DEMO_NAME) "What is the capital of France?" --temperature 0 --stats
	@echo; echo "To chat:  EMELEX_MODELS_DIR=build/models-root $(EMELEX) run $(DEMO_NAME)"
	@echo "Any other model:  $(EMELEX) run path/to/model.gguf"

.venv/emelex-test-requirements: tests/requirements-hashed.txt | setup
	@.venv/bin/python -m pip install --quiet --only-binary :all: --require-hashes -r tests/requirements-hashed.txt
	@touch $@

.PHONY: test-tools
test-tools: setup
	@if [ -e tests/requirements-hashed.txt ]; then $(MAKE) --no-print-directory .venv/emelex-test-requirements; fi
	@scripts/fetch-demo-model >/dev/null
	@scripts/fetch-tokenizers >/dev/null

# ctest says which tests were skipped, and not why.
say_skipped = @awk '/ Testing: / {name = $$3} /^skipped: / {print name " was " $$0}' build/$(1)/Testing/Temporary/LastTest.log

test: setup test-tools  ## build and run all tests but those against other implementations
	@cmake --preset release -DEMELEX_BUILD_TESTS=ON $(CMAKE_ARGS)
	@cmake --build --preset release
	@ctest --preset release -LE peers --parallel 2
	$(call say_skipped,release)

test-asan: setup test-tools  ## the same with the address and undefined-behaviour sanitizers
	@cmake --preset asan-ubsan -DEMELEX_BUILD_TESTS=ON $(CMAKE_ARGS)
	@cmake --build --preset asan-ubsan
	@ctest --preset asan-ubsan -LE peers --parallel 2
	$(call say_skipped,asan-ubsan)

# Where threads meet. Programs of the thread sanitizer want addresses that are not moved about.
TSAN_TESTS := base hub engine
test-tsan: setup  ## tests of base, hub and engine with the thread sanitizer
	@cmake --preset tsan -DEMELEX_BUILD_TESTS=ON $(CMAKE_ARGS)
	@cmake --build --preset tsan --target $(TSAN_TESTS:%=test_%)
	@$(shell command -v setarch >/dev/null && echo setarch -R) ctest --preset tsan -R '^($(subst $(space),|,$(TSAN_TESTS)))$$'

SECONDS ?= 60
FUZZERS ?=
fuzz:  ## build the fuzzers with clang and run each for SECONDS (60); FUZZERS names some
	@scripts/setup --ci
	@cmake --preset fuzz $(CMAKE_ARGS)
	@cmake --build --preset fuzz --target $(or $(FUZZERS:%=fuzz_%),all_fuzzers)
	@scripts/fuzz $(SECONDS) $(FUZZERS)

test-clang:  ## build everything with clang and run the tests
	@scripts/setup --ci
	@$(MAKE) --no-print-directory test-tools
	@cmake --preset clang -DEMELEX_BUILD_TESTS=ON $(CMAKE_ARGS)
	@cmake --build --preset clang
	@ctest --preset clang -LE peers --parallel 2
	$(call say_skipped,clang)

test-debug: setup test-tools  ## the same unoptimized
	@cmake --preset debug -DEMELEX_BUILD_TESTS=ON $(CMAKE_ARGS)
	@cmake --build --preset debug
	@ctest --preset debug -LE peers --parallel 2
	$(call say_skipped,debug)

# Those that emulation leaves quick enough: the models' had not ended after a minute.
ARM64_TESTS := base quant weights kernels cache
test-arm64:  ## build for 64-bit Arm and run tests under qemu, the kernels' on three CPUs
	@scripts/setup-arm64
	@cmake --preset aarch64 -DEMELEX_BUILD_TESTS=ON $(CMAKE_ARGS)
	@cmake --build --preset aarch64 --target $(ARM64_TESTS:%=test_%)
	@for test in $(ARM64_TESTS); do QEMU_CPU=max ctest --preset aarch64 -R "^$$test$$"; done
	@for cpu in neoverse-n1 cortex-a72; do echo "-- on $$cpu"; QEMU_CPU=$$cpu ctest --preset aarch64 -R '^kernels$$'; done

# llama-cpp-python comes as source and takes 10 minutes to build, so wheels are kept outside the checkout. Built by g++ 12
# it crashes on CPUs with AMX, so clang builds it, and the wheels are in a folder of their own.
ifneq ($(shell uname -s),Darwin)
PEERS_COMPILER := CC=clang-14 CXX=clang++-14
endif
.venv-peers/emelex-requirements: tests/requirements-peers.txt | setup
	@scripts/setup --ci
	@[ -x .venv-peers/bin/python ] || python3 -m venv .venv-peers
	@export $(PEERS_COMPILER); if mkdir -p "$(WHEEL_CACHE)" && [ -w "$(WHEEL_CACHE)" ]; then \
	  .venv-peers/bin/python -m pip wheel --quiet --find-links "$(WHEEL_CACHE)" -w "$(WHEEL_CACHE)" \
	    -r tests/requirements-peers.txt; \
	  .venv-peers/bin/python -m pip install --quiet --find-links "$(WHEEL_CACHE)" -r tests/requirements-peers.txt; \
	else \
	  .venv-peers/bin/python -m pip install --quiet -r tests/requirements-peers.txt; \
	fi
	@touch $@

PEERS ?= .
test-peers: test-tools .venv-peers/emelex-requirements  ## tests against other implementations; PEERS is a pattern of names
	@cmake --preset release -DEMELEX_BUILD_TESTS=ON $(CMAKE_ARGS)
	@cmake --build --preset release
	@ctest --preset release -L peers -R '$(PEERS)' --parallel 2
	$(call say_skipped,release)

MODEL ?= build/models/SmolLM2-135M-Instruct.Q4_1.gguf
test-soak: setup  ## thousands of requests with cancels and failures, and the scheduler's latencies with MODEL; takes minutes
	@scripts/fetch-demo-model >/dev/null
	@cmake --preset release -DEMELEX_BUILD_TESTS=ON $(CMAKE_ARGS)
	@cmake --build --preset release --target engine_soak engine_latency
	@build/release/tests/soak/engine_soak
	@build/release/tests/soak/engine_latency $(MODEL)

bench: build  ## speed of the demo model on this machine
	@scripts/fetch-demo-model >/dev/null
	@$(EMELEX) bench build/models/SmolLM2-135M-Instruct.Q4_1.gguf

bench-micro: setup  ## each kernel alone, on every instruction set of this machine; ARGS for Google Benchmark
	@cmake --preset release -B build/bench -DEMELEX_BUILD_TESTS=OFF -DEMELEX_BUILD_BENCH=ON $(CMAKE_ARGS)
	@cmake --build build/bench --target bench_matmul bench_attention bench_elementwise
	@for kernel in elementwise attention matmul; do build/bench/bench/bench_$$kernel $(ARGS); done

format:  ## format the C++ sources
	@scripts/setup --lint
	@scripts/format

lint:  ## check the format, and who includes whom
	@scripts/setup --lint
	@scripts/lint

tidy: setup  ## the same, and clang-tidy over all files; slow
	@scripts/setup --ci
	@cmake --preset clang -DEMELEX_BUILD_TESTS=ON $(CMAKE_ARGS)
	@scripts/lint --tidy build/clang

install: build  ## install to PREFIX (default /usr/local)
	@cmake --install build/release --prefix "$(PREFIX)"

clean:  ## remove build/; .venv stays
	@rm -rf build
