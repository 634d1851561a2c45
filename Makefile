# Verbs of the project; hack/build.mjs knows the steps. `make V=1 …` shows the commands.
PREFIX ?= /usr/local
DESTDIR ?=
export V

# One build at a time in a checkout.
LOCKED = mkdir -p build && flock build/.lock

all: build

# Installs what the machine lacks (Debian packages as root) and node_modules; quick when nothing is missing.
deps:
	@hack/bootstrap

build: deps
	@$(LOCKED) hack/with-node hack/build.mjs

.PHONY: all deps build
