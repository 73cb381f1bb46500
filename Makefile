# `make help` lists the targets. Everything is built by CMake presets (CMakePresets.json) below build/.
JOBS ?= 2
MUTANTS ?=
LONG_SECONDS ?= 3600
WORKLOADS ?= read_uniform ycsb_a ycsb_b ycsb_c ycsb_f durable_commit transfer larger_than_memory long_snapshot \
  old_version_read recovery
CTEST = ctest --no-tests=error --output-on-failure -j $(JOBS)
CLI = build/release/cli/plimsoll

ifneq ($(shell command -v ccache),)
export CMAKE_CXX_COMPILER_LAUNCHER = ccache
export CMAKE_C_COMPILER_LAUNCHER = ccache
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1
endif
export ASAN_OPTIONS ?= detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS ?= halt_on_error=1:second_deadlock_stack=1

.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: help setup build build-% run check test test-release test-asan test-tsan test-tsan-latched sanitize mutants lint format docs site package bench bench-limits bench-allocators models \
  stress-long crash-long fuzz-long install clean

help: ## list the targets
	@sed -n 's/^\([a-z%-]*\):.*## /\1\t/p' Makefile | expand -t 20

setup: ## install the Debian packages that are missing
	@scripts/setup.sh

build: build-release ## build the library, the CLI, the benchmarks and the tests (release)

build-%: ## the same with another preset: debug, asan, tsan, tsan-latched, clang
	@mkdir -p build
	@flock build/$*.lock $(MAKE) --no-print-directory configure-$* build-it-$*

configure-%:
	@cmake --preset $* >build/configure-$*.log 2>&1 || { cat build/configure-$*.log; exit 1; }

build-it-%:
	@cmake --build --preset $* -j $(JOBS)

run: setup build ## the main job: real data, concurrent writers, a kill, recovery, verification
	@scripts/run_main_job.sh

check: build-release ## the fast tests
	@$(CTEST) --test-dir build/release -L fast

test: setup test-release ## all tests except the long ones, as released (sanitize: under the sanitizers)

test-release: build-release
	@$(CTEST) --test-dir build/release -LE long

test-asan: build-asan ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer, at a reduced scale
	@PLIMSOLL_TEST_SCALE=$${PLIMSOLL_TEST_SCALE:-0.05} $(CTEST) --test-dir build/asan -L asan -LE long

test-tsan: build-tsan ## the tests under ThreadSanitizer, at a reduced scale
	@PLIMSOLL_TEST_SCALE=$${PLIMSOLL_TEST_SCALE:-0.05} $(CTEST) --test-dir build/tsan -L tsan -LE long

test-tsan-latched: build-tsan-latched ## the same with readers that latch
	@PLIMSOLL_TEST_SCALE=$${PLIMSOLL_TEST_SCALE:-0.05} $(CTEST) --test-dir build/tsan-latched -L tsan -LE long

sanitize: setup test-asan test-tsan test-tsan-latched ## the tests under all three sanitizer builds, at a reduced scale

mutants: ## delete validations and guards one by one, and see which test notices; MUTANTS="regex ..." chooses
	@JOBS=$(JOBS) tests/mutants/run.py $(foreach m,$(MUTANTS),'$(m)')

lint: ## formatting, clang-tidy, the tree's own rules
	@JOBS=$(JOBS) scripts/lint.sh

format: ## format all sources in place
	@find include src cli bench tests examples -name '*.[ch]pp' -o -name '*.[ch]' | xargs clang-format-19 -i

bench: build-release ## the workloads, one JSON object a line; WORKLOADS="transfer ycsb_a" chooses
	@$(CLI) bench $(WORKLOADS) --json

bench-limits: build-release ## what this machine allows at best, as anchors for every figure
	@build/release/bench/limits

bench-allocators: build-release ## the slab allocator against glibc, jemalloc, mimalloc and std::pmr
	@build/release/bench/allocators

docs: build-release ## write what is generated in docs/: metrics, configuration, what the examples of the commands print
	@build/release/tests/docs/metrics_page >docs/metrics.md
	@build/release/tests/docs/configuration_page >docs/configuration.md
	@tests/docs/examples.py --write $(CLI) docs/commands/*.md

site: ## build the documentation site in build/site
	@scripts/site.sh build/site

package: build-release ## build the Debian packages in build/release/packages
	@cpack --config build/release/CPackConfig.cmake >build/package.log 2>&1 || { cat build/package.log; exit 1; }
	@ls build/release/packages/*.deb

models: ## the explicit-state models of the protocols
	@models/run.sh

stress-long: build-release ## random transactions, each answer checked, for LONG_SECONDS
	@$(CLI) stress --seconds $(LONG_SECONDS)

crash-long: build-release ## crash tests at twenty times their normal scale
	@PLIMSOLL_TEST_SCALE=$${PLIMSOLL_TEST_SCALE:-20} $(CTEST) --test-dir build/release -L crash --timeout 86400

fuzz-long: build-asan ## fuzz tests at a hundred times their normal scale
	@PLIMSOLL_TEST_SCALE=$${PLIMSOLL_TEST_SCALE:-100} $(CTEST) --test-dir build/asan -L fuzz --timeout 86400

install: build-release ## install the library, its headers and the CLI below PREFIX (/usr/local)
	@cmake --install build/release --prefix $(or $(PREFIX),/usr/local)

clean: ## remove everything that was built
	@rm -rf build
