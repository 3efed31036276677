# SPDX-License-Identifier: Apache-2.0
# A thin front for meson: `make demo` and `make test` work from a fresh clone on a bare Debian 12.
BUILD ?= build
PREFIX ?= /usr/local
MESON_OPTIONS ?=

.PHONY: all deps build demo test bench install clean

all: build

# Installs what is missing (scripts/packages is the one list); does nothing when all is there.
deps:
	@scripts/deps build

$(BUILD)/build.ninja:
	meson setup $(BUILD) --prefix=$(PREFIX) --sysconfdir=/etc $(MESON_OPTIONS)

build: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD)

demo: build
	@scripts/demo --build $(BUILD) $(DEMO_OPTIONS)

test: build
	@scripts/test --build $(BUILD)

bench: build
	@tests/bench/run --build $(BUILD) --all

install:
	@test -f $(BUILD)/build.ninja || $(MAKE) build
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD)
