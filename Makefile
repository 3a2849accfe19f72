# Bartizan, an SSH gateway. Two commands for a newcomer: `make demo` and `make check`; the others are listed by `make help`.
BUILD ?= build
PREFIX ?= /usr/local
PYTHON := /usr/bin/python3
ifeq ($(origin CC),default)
CC := gcc
endif

# Asked of pkg-config once, and only when something is compiled: `make deps` must run where pkg-config is still missing.
once = $(eval $(1) := $(shell $(2)))$($(1))
pkgs := libcrypto sqlite3 yaml-0.1 libseccomp libcurl jansson libevent libpcre2-8 libjwt vterm
pkg_cflags = $(call once,pkg_cflags,pkg-config --cflags $(pkgs) libssh)
pkg_libs = $(call once,pkg_libs,pkg-config --libs $(pkgs))
ssh_libs = $(call once,ssh_libs,pkg-config --libs libssh)

# SANITIZE=address,undefined (make asan) or fuzzer-no-link,address,undefined (make fuzz) replaces the hardening, with a BUILD of its own.
SANITIZE ?=
branches := $(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection)
hardening := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection $(branches)
warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla $(if $(WERROR),-Werror)
CFLAGS ?= -O2 -g
cflags := $(CFLAGS) -std=gnu17 $(warnings) -fPIE $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer,$(hardening))
cppflags = -I. -D_GNU_SOURCE $(pkg_cflags) $(CPPFLAGS)
ldflags := $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -pie -Wl,--as-needed,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
library := $(wildcard common/*.c oidc/*.c policy/*.c store/*.c)
server := $(filter-out server/main.c,$(wildcard server/*.c))
cli := $(wildcard cli/*.c)
units := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
fuzzers := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all help deps deps-lab deps-clients deps-clients-short check unit policy lineguard fuzz fuzz-short fuzzers e2e clients clients-short asan lint bench demo install deb clean
all: $(BUILD)/bartizand $(BUILD)/bartizan ## build both programs

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 24

# ---- building ----

# One short line for each file; `make V=1` shows the whole commands.
say = $(if $(V),,@printf '  %-3s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@);)

$(BUILD)/%.o: %.c | $(BUILD)/.libssh
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(cppflags) $(cflags) -MMD -MP -c -o $@ $<

$(BUILD)/.libssh: packaging/check-libssh.sh
	@mkdir -p $(@D)
	@packaging/check-libssh.sh && touch $@

$(BUILD)/libbartizan.a: $(call objects,$(library))
$(BUILD)/libserver.a: $(call objects,$(server))
$(BUILD)/%.a:
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(BUILD)/bartizand: $(BUILD)/server/main.o $(BUILD)/libserver.a $(BUILD)/libbartizan.a
	$(call say,LD)$(CC) $(cflags) $(ldflags) -o $@ $^ $(pkg_libs) $(ssh_libs)

$(BUILD)/bartizan: $(call objects,$(cli)) $(BUILD)/libbartizan.a
	$(call say,LD)$(CC) $(cflags) $(ldflags) -o $@ $^ $(pkg_libs)

# A test may put functions of its own in place of the roles': the linker takes the first.
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libserver.a $(BUILD)/libbartizan.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(cflags) $(ldflags) -Wl,--allow-multiple-definition -o $@ $^ $(pkg_libs) $(ssh_libs) -lcmocka

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/tests/*/*.d)
.SECONDARY:

# ---- dependencies: packages by name, from the lists in packaging/; silent when nothing is missing ----

deps: ## install what building and testing need (apt, with sudo when not root)
	@packaging/deps.sh packaging/packages-build.txt packaging/packages-lab.txt packaging/packages-test.txt

deps-lab:
	@packaging/deps.sh packaging/packages-build.txt packaging/packages-lab.txt

# ---- tests: DEVELOPERS.md says what each is for ----

check: deps ## install what is missing, build, run all tests
	+@$(PYTHON) tests/run/check.py $(MAKE) BUILD=$(BUILD)

unit: $(units) ## cmocka: tests/unit/test_*.c
	@$(PYTHON) tests/run/unit.py $(units)

policy: $(BUILD)/bartizan ## data-only policy cases: tests/policy/*.yaml
	@$(PYTHON) tests/run/policy.py $(BUILD)/bartizan tests/policy

# The tests mostly wait: three files run beside each other, each with labs of its own. JOBS=0: one after the other, in this process.
TESTS ?= tests/e2e
JOBS ?= 3
e2e: all ## pytest against real ssh, sshd and the lab; ARGS='-k scp', TESTS=FILE, JOBS=N
	@BUILD=$(BUILD) SANITIZE=$(SANITIZE) $(PYTHON) -m pytest -p no:cacheprovider -n $(JOBS) --dist loadfile $(TESTS) $(ARGS)

# A client that cannot be installed is skipped, and said to be; so a package that is not to be had stops nothing.
short := packaging/packages-clients-short.txt
deps-clients deps-clients-short: deps
	@packaging/deps.sh $(if $(filter %-short,$@),$(short),$(short) packaging/packages-clients.txt) || echo 'clients: the clients of these packages will be skipped'

clients: deps-clients ## every client that people use, beside plain sshd; ARGS='--only putty', '--mode jump', '--json', '--help'
	+@$(MAKE) --no-print-directory -s all
	@BUILD=$(BUILD) $(PYTHON) tests/clients/matrix.py $(ARGS)

clients-short: deps-clients-short ## the few that take less than a minute
	+@$(MAKE) --no-print-directory -s all
	@BUILD=$(BUILD) $(PYTHON) tests/clients/matrix.py --short $(ARGS)

fuzz-short: fuzzers ## each fuzzer for a few seconds
	@$(PYTHON) tests/run/fuzz.py --seconds 5 $(fuzzers)

fuzz: fuzzers ## each fuzzer for ten minutes (SECONDS=…)
	@$(PYTHON) tests/run/fuzz.py --seconds $(or $(SECONDS),600) $(fuzzers)

lineguard: $(BUILD)/unit/lineguard_proxy ## random typing into real shells under the shell guard, for ten minutes (MINUTES=…); ARGS='--shell zsh --seed 7'
	@$(PYTHON) tests/lineguard/random_typing.py --minutes $(or $(MINUTES),10) $(ARGS) $<

fuzzers:
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined CFLAGS='-O1 -g' fuzz_dir=$(BUILD)/fuzz $(fuzzers)

ifdef fuzz_dir # inside `make fuzzers`: BUILD is the fuzzers' own
$(fuzz_dir)/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/libbartizan.a
	$(call say,LD)$(CC) $(cflags) -fsanitize=fuzzer,address,undefined -pie -o $@ $^ $(pkg_libs)
endif

asan: deps ## unit, policy and e2e again under AddressSanitizer and UndefinedBehaviorSanitizer
	+@$(PYTHON) tests/run/check.py --stages build,unit,policy,e2e $(MAKE) BUILD=build-asan SANITIZE=address,undefined CFLAGS='-O1 -g'

lint: deps ## compiler warnings as errors, cppcheck, mandoc, layering and layout rules
	@CC='$(CC)' CPPFLAGS='$(cppflags)' $(PYTHON) tests/run/lint.py

bench: deps-lab ## compare with an OpenSSH bastion, ProxyJump and direct ssh; ARGS='--quick'
	+@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench.py $(ARGS)

demo: deps-lab ## a small company on loopback: log in, be refused, replay, verify
	+@$(MAKE) --no-print-directory -s all
	@BUILD=$(BUILD) tests/demo

# ---- installing ----

install: all ## DESTDIR and PREFIX are obeyed
	BUILD=$(BUILD) DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/install.sh

deb: deps ## build/bartizan_VERSION_ARCH.deb
	+@$(MAKE) --no-print-directory all
	BUILD=$(BUILD) packaging/deb.sh

clean: ## remove what was built
	rm -rf $(BUILD) build-asan
