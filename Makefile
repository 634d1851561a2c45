# Verbs of the project; hack/build.mjs knows the steps of a build. `V=1 make …` shows its commands.
PREFIX ?= /usr/local
DESTDIR ?=
node := hack/with-node
# One build at a time in a checkout.
locked := flock build/.lock

all: build

# The groups of `hack/bootstrap --list` that a goal needs beside "build".
for-demo := demo
for-test := test
for-test-root := test
for-test-vm := test
for-test-all := test lint fuzz sanitize analyse
for-coverage := test
for-faults := test
for-fuzz := fuzz
for-sanitize := test sanitize
for-analyse := lint analyse
for-bench := demo
for-pictures := demo
for-lint := lint
for-fmt := lint
for-release := release

# What the machine lacks for the goals: Debian packages (as root), Node.js, node_modules. Quick when nothing is missing.
deps:
	@hack/bootstrap build $(foreach goal,$(MAKECMDGOALS),$(for-$(goal)))
	@mkdir -p build

build: deps
	@$(locked) $(node) hack/build.mjs

# Builds a root file system, runs containers in it, shows what they see.
demo: build
	@hack/demo

# All tests; those of test/integration and test/security only as root.
test: build
	@$(node) hack/test.mjs

# The tests of test/integration and test/security alone.
test-root: build
	@$(node) hack/test.mjs --root

# The same on cgroup v2 alone, in User Mode Linux (hack/vm; as root).
test-vm: build
	@hack/test-vm

# All of it, at length: tests, cgroup v2, fuzzing, bench; the results go to docs/conformance.md. As root.
test-all: build
	@hack/test-all

# Lines of src/ and native/ that the tests execute, by folder. COVERAGE='--unit --files': unit tests only, with ranges.
COVERAGE ?=
coverage: deps
	@$(node) hack/coverage.mjs $(COVERAGE)

# The static binary's C with ASan and UBSan, and a shard of the tests with it; TSan, valgrind (as root).
sanitize: build
	@$(node) hack/sanitize.mjs $(PARTS)

# Static analysis of the C code: gcc's -fanalyzer, cppcheck, clang-tidy.
analyse: build
	@hack/analyse

# Fuzzes what reads bytes in C, the plan's decoder for FUZZ_SECONDS, and whole configs.
FUZZ_SECONDS ?= 60
fuzz: build
	@hack/fuzz $(FUZZ_SECONDS)

# Each system call of runt fails once, and is a point of SIGKILL (as root): SHARD=3/20 SEED=7 OF=create,exec WITH=hooks
# SKIP=1000 COUNT=500 JOBS=2 ONLY=create+hooks:init:openat:12:EIO
faults: build
	@$(node) hack/faults.mjs $(foreach flag,SHARD SEED OF WITH SKIP COUNT JOBS ONLY,$(if $($(flag)),'--$(flag)=$($(flag))'))

bench: build
	@$(node) hack/bench/bench.mjs

# The reference of the library's API, in docs/api.
docs: build
	@$(node) hack/api-docs.mjs

# The pictures of README.md, from real output (as root).
pictures: build
	@$(node) hack/pictures.mjs

lint: build
	@hack/lint

fmt: deps
	@$(node) node_modules/@biomejs/biome/bin/biome check --write .
	@clang-format -i $$(git ls-files -co --exclude-standard 'native/*.c' 'native/*.h' 'hack/*.c' 'hack/*.h')

# The static command with its man pages and completions, and the npm package with librunt.so and its dependency.
library := $(DESTDIR)$(PREFIX)/lib/node_modules/runt-oci
share := $(DESTDIR)$(PREFIX)/share
install: build
	install -D -m 0755 dist/runt $(DESTDIR)$(PREFIX)/bin/runt
	ln -sf runt $(DESTDIR)$(PREFIX)/bin/containerd-shim-runt-v1
	ln -sf runt $(DESTDIR)$(PREFIX)/bin/containerd-shim-runt-grpc-v1
	install -d $(share)/man/man1 $(share)/man/man8 $(share)/bash-completion/completions $(share)/zsh/site-functions $(share)/fish/vendor_completions.d
	install -m 0644 dist/share/man1/*.1 $(share)/man/man1
	install -m 0644 dist/share/man8/*.8 $(share)/man/man8
	install -m 0644 dist/share/completion/runt $(share)/bash-completion/completions
	install -m 0644 dist/share/completion/_runt $(share)/zsh/site-functions
	install -m 0644 dist/share/completion/runt.fish $(share)/fish/vendor_completions.d
	rm -rf $(library)
	install -d $(library)/dist $(library)/node_modules/@koromix
	cp -r dist/cli.js dist/index.js dist/librunt.so dist/chunks dist/types dist/licences $(library)/dist
	cp -r proto $(library)
	cp package.json README.md CHANGELOG.md LICENSE $(library)
	cp -r node_modules/koffi $(library)/node_modules
	cp -r node_modules/@koromix/koffi-linux-* $(library)/node_modules/@koromix

# All files of a release, in dist/release/, for each ARCH (on amd64 both amd64 and arm64): docs/releasing.md.
ARCH ?=
release: export RUNT_NEED_HTTP2 = 1
release: build
	@$(locked) $(node) hack/release/release.mjs $(ARCH)

clean:
	rm -rf build dist

.PHONY: all deps build demo test test-root test-vm test-all coverage fuzz sanitize analyse faults bench docs pictures lint fmt install release clean
