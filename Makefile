# Bartizan: all check unit policy e2e fuzz bench asan lint demo install deb (see README.md)
BUILD ?= build
CC ?= gcc
PKGS := libcrypto sqlite3 yaml-0.1 libseccomp libcurl jansson libevent libpcre2-8
CPPFLAGS += -I. -D_GNU_SOURCE -D_FORTIFY_SOURCE=3 $(shell pkg-config --cflags $(PKGS) libssh)
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -fstack-protector-strong -fPIE -fcf-protection -fstack-clash-protection
LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack
LDLIBS := $(shell pkg-config --libs $(PKGS))

common := $(wildcard common/*.c)
policy := $(wildcard policy/*.c)
store := $(wildcard store/*.c)
server := $(wildcard server/*.c)
cli := $(wildcard cli/*.c)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

all: $(BUILD)/bartizand $(BUILD)/bartizan

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libbartizan.a: $(call obj,$(common) $(policy) $(store))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/bartizand: $(call obj,$(server)) $(BUILD)/libbartizan.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(shell pkg-config --libs libssh)

$(BUILD)/bartizan: $(call obj,$(cli)) $(BUILD)/libbartizan.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all
