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
pkg_cflags = $(call once,pkg_cflags,pkg-config --cflags $(pkgs))
pkg_libs = $(call once,pkg_libs,pkg-config --libs $(pkgs))

# static: our own build of Debian's source package, kept below ~/.cache; system: the distribution's, which can do less. packaging/libssh.sh
LIBSSH ?= static
ssh_cflags = $(file <$(BUILD)/libssh/cflags)
ssh_libs = $(file <$(BUILD)/libssh/libs)
# Whole: a name that libssh defines as well as we is an error of the linker then, and never a function taken for another.
ssh_whole = -Wl,--whole-archive $(ssh_libs) -Wl,--no-whole-archive

# SANITIZE=address,undefined (make asan) or fuzzer-no-link,address,undefined (make fuzz) replaces the hardening, with a BUILD of its own.
SANITIZE ?=
branches := $(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection)
hardening := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection $(branches)
warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla $(if $(WERROR),-Werror)
CFLAGS ?= -O2 -g
cflags := $(CFLAGS) -std=gnu17 $(warnings) -fPIE $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer,$(hardening))
cppflags = -I. -D_GNU_SOURCE $(ssh_cflags) $(pkg_cflags) $(CPPFLAGS)
ldflags := $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -pie -Wl,--as-needed,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)

# A room is a folder and an archive of its own; tests/run/rooms.txt says who may stand on whom. Archives follow their users.
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
sources = $(filter-out server/main.c,$(wildcard $(1)/*.c))
rooms := $(shell sed -n 's/^\([a-z][a-z/]*\).*/\1/p' tests/run/rooms.txt)
roles := $(shell sed -n 's/^@\([a-z_]*\).*/\1/p' tests/run/rooms.txt)
archives = $(patsubst %,$(BUILD)/%.a,$(1))
together = -Wl,--start-group $(1) -Wl,--end-group
library := $(call archives,$(filter-out cli server/%,$(rooms)))
server := $(call archives,$(filter server/%,$(rooms)))
units := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
fuzzers := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

# LIBSSH counts for every make below this one.
export LIBSSH

.PHONY: all help probes deps deps-lab deps-clients deps-clients-short libssh-newest check unit policy lineguard fuzz fuzz-short fuzzers e2e clients clients-short asan lint bench demo platforms install deb clean
all: $(BUILD)/bartizand $(BUILD)/bartizan ## build both programs

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 24

# ---- building ----

# One short line for each file; `make V=1` shows the whole commands.
say = $(if $(V),,@printf '  %-3s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@);)

$(BUILD)/%.o: %.c $(BUILD)/libssh/cflags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(cppflags) $(cflags) -MMD -MP -c -o $@ $<

# The script leaves alone what has not changed: nothing is compiled anew then. Another LIBSSH than last time: `always`.
.PHONY: always
$(BUILD)/libssh/cflags $(BUILD)/libssh/libs: $(BUILD)/libssh/.$(LIBSSH) ;
$(BUILD)/libssh/.$(LIBSSH): packaging/libssh.sh $(if $(wildcard $(BUILD)/libssh/.$(LIBSSH)),,always)
	@LIBSSH_CFLAGS='$(hardening)' packaging/libssh.sh $(LIBSSH) $(BUILD)/libssh
	@rm -f $(BUILD)/libssh/.static $(BUILD)/libssh/.system && touch $@

define room_archive
$(BUILD)/$(1).a: $(call objects,$(call sources,$(1)))
endef
$(foreach room,$(rooms),$(eval $(call room_archive,$(room))))
$(BUILD)/%.a:
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(BUILD)/bartizand: $(BUILD)/server/main.o $(server) $(library) $(BUILD)/libssh/libs $(wildcard $(BUILD)/libssh/lib/libssh.a)
	$(call say,LD)$(CC) $(cflags) $(ldflags) -o $@ $< $(call together,$(server) $(library)) $(ssh_whole) $(pkg_libs)

$(BUILD)/bartizan: $(call objects,$(call sources,cli)) $(library)
	$(call say,LD)$(CC) $(cflags) $(ldflags) -o $@ $(filter %.o,$^) $(call together,$(library)) $(pkg_libs)

# A test may put functions of its own in place of the roles': the linker takes the first.
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(server) $(library)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(cflags) $(ldflags) -Wl,--allow-multiple-definition -o $@ $< $(call together,$(server) $(library)) $(ssh_libs) $(pkg_libs) -lcmocka

# The border of a role: its main links with the rooms of its row, and with nothing else.
probes: $(patsubst %,$(BUILD)/probe/%,$(roles)) ## each role linked with only what its row in tests/run/rooms.txt allows
$(BUILD)/probe/%: tests/run/probe.c tests/run/rooms.txt $(server) $(library)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(cflags) $(ldflags) -DROLE_MAIN=$* -o $@ $< \
		$(call together,$(patsubst %,$(BUILD)/%.a,$(shell $(PYTHON) tests/run/rooms.py $*))) $(if $(filter $(BUILD)/server/libssh.a,$(patsubst %,$(BUILD)/%.a,$(shell $(PYTHON) tests/run/rooms.py $*))),$(ssh_libs)) $(pkg_libs)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:

# ---- dependencies: packages by name, from the lists in packaging/; silent when nothing is missing ----

deps: ## install what building and testing need (apt, with sudo when not root)
	@packaging/deps.sh $(deps_build) packaging/packages-lab.txt packaging/packages-test.txt
	+@$(MAKE) --no-print-directory -s $(BUILD)/libssh/cflags

deps-lab:
	@packaging/deps.sh $(deps_build) packaging/packages-lab.txt
	+@$(MAKE) --no-print-directory -s $(BUILD)/libssh/cflags

deps_build = packaging/packages-build.txt packaging/packages-libssh-$(LIBSSH).txt

libssh-newest: ## build what Debian has of libssh now; the next `make clean all` takes it
	@LIBSSH_CFLAGS='$(hardening)' packaging/libssh.sh newest $(BUILD)/libssh

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
e2e: all $(BUILD)/unit/hostile_target ## pytest against real ssh, sshd and the lab; ARGS='-k scp', TESTS=FILE, JOBS=N
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
$(fuzz_dir)/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(library)
	$(call say,LD)$(CC) $(cflags) -fsanitize=fuzzer,address,undefined -pie -o $@ $< $(call together,$(library)) $(pkg_libs)
endif

asan: deps ## unit, policy and e2e again under AddressSanitizer and UndefinedBehaviorSanitizer
	+@$(PYTHON) tests/run/check.py --stages build,unit,policy,e2e $(MAKE) BUILD=build-asan SANITIZE=address,undefined CFLAGS='-O1 -g'

lint: deps probes ## the borders of the roles, compiler warnings as errors, cppcheck, mandoc, layering and layout rules
	@CC='$(CC)' CPPFLAGS='$(cppflags)' $(PYTHON) tests/run/lint.py

bench: deps-lab ## compare with an OpenSSH bastion, ProxyJump and direct ssh; ARGS='--quick'
	+@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench.py $(ARGS)

demo: deps-lab ## a small company on loopback: log in, be refused, replay, verify
	+@$(MAKE) --no-print-directory -s all
	@BUILD=$(BUILD) tests/demo

platforms: ## make demo in chroots of Debian 12, 13 and 14 (root only); ARGS='--only trixie'
	@packaging/deps.sh packaging/packages-platforms.txt
	@BUILD=$(BUILD) $(PYTHON) tests/platforms/run $(ARGS)

# ---- installing ----

install: all ## DESTDIR and PREFIX are obeyed
	BUILD=$(BUILD) DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/install.sh

deb: deps ## build/bartizan_VERSION_ARCH.deb
	+@$(MAKE) --no-print-directory all
	BUILD=$(BUILD) packaging/deb.sh

clean: ## remove what was built
	rm -rf $(BUILD) build-asan
