# make         build into build/
# make run     install what is missing, build, start both daemons (Ctrl-C stops them)
# make demo    the same beside a Kamailio registrar and registrations that show every state
# make test    install what the tests need, build, run everything
# make bench   the benchmarks, as ratios
# SAN=address,undefined or SAN=thread builds with that sanitizer into a folder of its own.

SHELL    := /bin/bash
CC       ?= gcc
SAN      ?=
BUILD    ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma    := ,
VERSION  := 0.1.0

CFLAGS   ?= -O2 -g
CFLAGS   += -std=c11 -D_GNU_SOURCE -DTANDEM_VERSION='"$(VERSION)"' -I. -fno-strict-aliasing -pthread
CFLAGS   += -Wall -Wextra -Wshadow -Wmissing-prototypes -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers
CFLAGS   += -Werror=implicit-function-declaration $(if $(CI),-Werror)
CFLAGS   += $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LDFLAGS  += -pthread $(if $(SAN),-fsanitize=$(SAN))

MGMTD_PKG  := libmicrohttpd sqlite3 jansson libjwt libsodium
SWITCH_PKG := sofia-sip-ua openssl
# Not at parse time: make deps must work before the packages are there.
MGMTD_CFLAGS   = $(shell pkg-config --cflags $(MGMTD_PKG))
MGMTD_LIBS     = $(shell pkg-config --libs $(MGMTD_PKG))
SWITCH_CFLAGS  = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(SWITCH_PKG)))
SWITCH_LIBS    = $(shell pkg-config --libs $(SWITCH_PKG))

objects   = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*.c))
BASE     := $(call objects,schema) $(call objects,shm)
MGMTD    := $(call objects,mgmtd)
SWITCH   := $(call objects,switchcore)
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*_test.c))
BENCH    := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/*.c))
FUZZ     := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))

.PHONY: all run demo test bench soak fuzz lint deps test-deps clean units benches programs
.SECONDARY:

all: programs
programs: $(BUILD)/mgmtd $(BUILD)/switchcore
units: $(UNIT)
benches: $(BENCH)

$(BUILD)/mgmtd: $(MGMTD) $(BASE)
	$(CC) $(LDFLAGS) -o $@ $^ $(MGMTD_LIBS)

$(BUILD)/switchcore: $(SWITCH) $(BASE)
	$(CC) $(LDFLAGS) -rdynamic -o $@ $^ $(SWITCH_LIBS) -ldl

$(BUILD)/obj/mgmtd/%.o $(BUILD)/obj/tests/%.o: CFLAGS += $(MGMTD_CFLAGS)
$(BUILD)/obj/switchcore/%.o $(BUILD)/obj/tests/%.o: CFLAGS += $(SWITCH_CFLAGS)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# A test program links every part but the two mains and the switch's own redefinitions of libc calls.
TESTABLE = $(BASE) $(filter-out %/main.o,$(MGMTD)) $(filter-out %/main.o %/capture.o,$(SWITCH))

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(TESTABLE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(MGMTD_LIBS) $(SWITCH_LIBS) -ldl

clean:
	rm -rf build

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
