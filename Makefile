# make         build into build/
# make run     install what is missing, build, start both daemons (Ctrl-C stops them)
# make demo    the same beside a Kamailio registrar and registrations that show every state
# make test    install what the tests need, build, run everything
# make soak    the kill and race tests for long; make fuzz  the fuzz targets for long (FUZZ_SECONDS=600 each)
# make bench   the benchmarks, as ratios
# make reference  writes schema/REFERENCE.md anew from the schema
# make lint    clang-tidy, cppcheck, shellcheck
# PANEL=      builds without the web panel, which needs npm and its registry.
# SAN=address,undefined or SAN=thread builds with that sanitizer into a folder of its own.

SHELL    := /bin/bash
CC       ?= gcc
SAN      ?=
PANEL    ?= yes
BUILD    ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma    := ,
VERSION  := 0.1.0

CFLAGS   ?= -O2 -g
CFLAGS   += -std=c11 -D_GNU_SOURCE -DTANDEM_VERSION='"$(VERSION)"' -I. -fno-strict-aliasing -pthread
CFLAGS   += -Wall -Wextra -Wshadow -Wmissing-prototypes -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers -Wno-format-truncation
CFLAGS   += -Werror=implicit-function-declaration $(if $(CI),-Werror)
CFLAGS   += $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LDFLAGS  += -pthread $(if $(SAN),-fsanitize=$(SAN))

MGMTD_PKG  := libmicrohttpd gnutls sqlite3 jansson libjwt libsodium libcrypto
SWITCH_PKG := sofia-sip-ua openssl
# Not at parse time: make deps must work before the packages are there.
MGMTD_CFLAGS   = $(shell pkg-config --cflags $(MGMTD_PKG))
MGMTD_LIBS     = $(shell pkg-config --libs $(MGMTD_PKG))
SWITCH_CFLAGS  = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(SWITCH_PKG)))
SWITCH_LIBS    = $(shell pkg-config --libs $(SWITCH_PKG))
# A call is some 600 allocations of the SIP stack.  Before the others, so that all of them use it; the sanitizers bring their own.
SWITCH_HEAP    = $(if $(SAN),,-Wl,--push-state,--no-as-needed -lmimalloc -Wl,--pop-state)

objects   = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*.c))
BASE     := $(call objects,schema) $(call objects,shm)
MGMTD    := $(call objects,mgmtd)
SWITCH   := $(call objects,switchcore)
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*_test.c))
BENCH    := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/*.c))
FUZZ     := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
# The shared-memory proofs with one of the faults of shm/fault.h each; the last is for the litmus.
FAULTY   := $(foreach n,1 2 3 4 5 6,$(BUILD)/tests/shm/fault-$(n)/tight) $(BUILD)/tests/shm/fault-7/litmus

.PHONY: reference all run demo test bench soak fuzz lint deps demo-deps test-deps bench-deps clean units benches programs fuzzers fuzz-programs e2e-programs shm-programs
.SECONDARY:

all: programs
programs: $(BUILD)/mgmtd $(BUILD)/switchcore $(if $(PANEL),$(BUILD)/www/.made)
units: $(UNIT)
benches: $(BENCH)
fuzz-programs: $(FUZZ)
e2e-programs: $(BUILD)/reference $(BUILD)/tests/e2e/snapshot_watch $(BUILD)/tests/e2e/switch_double $(BUILD)/tests/e2e/write_cdrs \
              $(BUILD)/tests/e2e/broken_disk.so $(BUILD)/tests/e2e/slow_names.so
shm-programs: $(if $(findstring thread,$(SAN)),$(BUILD)/tests/shm/tight_threads,$(BUILD)/tests/shm/tight) $(BUILD)/tests/shm/litmus \
              $(if $(SAN),,$(FAULTY))

$(BUILD)/mgmtd: $(MGMTD) $(BASE)
	$(CC) $(LDFLAGS) -o $@ $^ $(MGMTD_LIBS)

$(BUILD)/switchcore: $(SWITCH) $(BASE)
	$(CC) $(LDFLAGS) -rdynamic -o $@ $^ $(SWITCH_HEAP) $(SWITCH_LIBS) -ldl

$(BUILD)/obj/mgmtd/%.o $(BUILD)/obj/tests/%.o: CFLAGS += $(MGMTD_CFLAGS)
$(BUILD)/obj/switchcore/%.o $(BUILD)/obj/tests/%.o: CFLAGS += $(SWITCH_CFLAGS)

# Each migration as { "name", "text" }, in order of number.
$(BUILD)/gen/migrations.inc: $(sort $(wildcard mgmtd/migrations/*.sql))
$(BUILD)/gen/cdr_migrations.inc: $(sort $(wildcard mgmtd/migrations/cdr/*.sql))
$(BUILD)/gen/migrations.inc $(BUILD)/gen/cdr_migrations.inc:
	@mkdir -p $(@D)
	{ echo '/* made from $(dir $<) */'; \
	  for f in $^; do printf '{ "%s",\n' "$$(basename "$$f")"; \
	  sed -e 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' "$$f"; echo '},'; done; } >$@

$(BUILD)/obj/mgmtd/store.o $(BUILD)/obj/mgmtd/store_cdr.o: CFLAGS += -I$(BUILD)
$(BUILD)/obj/mgmtd/store.o: $(BUILD)/gen/migrations.inc
$(BUILD)/obj/mgmtd/store_cdr.o: $(BUILD)/gen/cdr_migrations.inc

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# The panel: the files of www/ with each library's one file in www/vendor/, and beside each the same compressed.  It is made once for
# the tree; every other build has a link to it, since mgmtd looks for it beside itself.
NPM      := build/npm
VENDOR   := www/vendor
WWW      := $(shell find www -path $(VENDOR) -prune -o -type d -print -o -type f -name '[a-zA-Z0-9_]*.*' ! -name 'package*.json' -print)
PACK     := -name '*.html' -o -name '*.css' -o -name '*.js' -o -name '*.svg' -o -name '*.json' -o -name '*.webmanifest' -o -name '*.txt'

# The registry's answers are held against the hashes in the lock file.  No script of a package is run.
$(NPM)/.made: www/package.json www/package-lock.json
	@command -v npm >/dev/null || { echo 'panel: there is no npm; `make deps` installs it, `make PANEL=` builds without the panel' >&2; exit 1; }
	@mkdir -p $(NPM)
	@cp www/package.json www/package-lock.json $(NPM)/
	@echo 'npm ci # the libraries of the panel, into $(NPM)'
	@cd $(NPM) && npm ci --ignore-scripts --prefer-offline --no-audit --no-fund --no-update-notifier \
		--fetch-retries=3 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 >npm.log 2>&1 </dev/null || \
		{ echo "panel: npm cannot fetch its libraries: $$(sed -nE 's/^npm (ERR!|error) //p' npm.log | grep -m1 -vE '^(code|errno|syscall) ')" \
		"(all of it in $(NPM)/npm.log); make PANEL= builds without the panel" >&2; exit 1; }
	@touch $@

$(VENDOR)/.made: $(NPM)/.made Makefile
	@rm -rf $(VENDOR) && mkdir -p $(VENDOR)
	@cd $(NPM)/node_modules && to=$(CURDIR)/$(VENDOR) && \
		cp htm/preact/standalone.module.js $$to/preact.js && cp htm/LICENSE $$to/LICENSE.htm.txt && \
		cp uplot/dist/uPlot.esm.js $$to/uplot.js && cp uplot/dist/uPlot.min.css $$to/uplot.css && cp uplot/LICENSE $$to/LICENSE.uplot.txt && \
		cp @picocss/pico/css/pico.classless.min.css $$to/pico.css && cp @picocss/pico/LICENSE.md $$to/LICENSE.pico.txt
	@touch $@

build/www/.made: $(VENDOR)/.made $(WWW)
	@rm -rf build/www.new && mkdir -p build/www.new
	@cp --parents $(sort $(foreach f,$(WWW),$(if $(wildcard $(f)/.),,$(f))) $(wildcard $(VENDOR)/*)) build/www.new/
	@mv build/www.new/www/* build/www.new/ && rmdir build/www.new/www
	find build/www.new -type f \( $(PACK) \) -exec gzip -9 -n -k {} \; -exec brotli -q 11 -k {} \;
	@touch build/www.new/.made && rm -rf build/www && mv build/www.new build/www

ifneq ($(BUILD),build)
$(BUILD)/www/.made: build/www/.made
	@mkdir -p $(BUILD)
	@ln -srfn build/www $(BUILD)/www
endif

# A test program links all of one daemon but its main; of the switch neither its own definitions of libc calls.
TESTABLE = $(BASE) $(filter-out %/main.o,$(MGMTD))
SWITCH_TESTABLE = $(BASE) $(filter-out %/main.o %/capture.o,$(SWITCH))

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(TESTABLE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(MGMTD_LIBS) -ldl

$(BUILD)/tests/unit/switchcore_%: $(BUILD)/obj/tests/unit/switchcore_%.o $(SWITCH_TESTABLE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(SWITCH_LIBS) -ldl

# They run short of memory, and of time, when the test says so.
$(BUILD)/tests/unit/switchcore_follow_test: LDFLAGS += -Wl,--wrap=registrations_put,--wrap=loop_now,--wrap=loop_refresh_clock
$(BUILD)/tests/unit/switchcore_session_test: LDFLAGS += $(foreach f,loop_now sip_session_read sip_content_keep sip_message_cseq \
  sip_leg_takes_update sip_leg_next_cseq sip_leg_heard sip_leg_send sip_client_release sip_client_cancel call_inviting call_end,-Wl,--wrap=$(f))
$(BUILD)/tests/unit/switchcore_control_test: LDFLAGS += -Wl,--wrap=follow_look
$(BUILD)/tests/unit/switchcore_route_test: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# The shared-memory tests need nothing above shm.
$(BUILD)/tests/unit/shm_%: $(BUILD)/obj/tests/unit/shm_%.o $(BASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka

$(BUILD)/tests/shm/%: $(BUILD)/obj/tests/shm/%.o $(BASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^

# All threads see the files at the same addresses, or ThreadSanitizer would see no race.
$(BUILD)/tests/shm/tight_threads: $(BUILD)/obj/tests/shm/tight.o $(BUILD)/obj/tests/shm/shared_map.o $(BASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -Wl,--wrap=mmap,--wrap=munmap,--wrap=mremap -o $@ $^

define faulty
$(BUILD)/obj/fault-$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) -DSHM_FAULT=$(1) -MMD -MP -c -o $$@ $$<
$(BUILD)/tests/shm/fault-$(1)/%: $(BUILD)/obj/fault-$(1)/tests/shm/%.o \
                                 $(patsubst %.c,$(BUILD)/obj/fault-$(1)/%.o,$(wildcard shm/*.c)) $(call objects,schema)
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) -o $$@ $$^
endef
$(foreach n,1 2 3 4 5 6 7,$(eval $(call faulty,$(n))))

$(BUILD)/tests/e2e/%: $(BUILD)/obj/tests/e2e/%.o $(BASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^

$(BUILD)/tests/bench/route_bench: $(BUILD)/obj/tests/bench/route_bench.o $(SWITCH_TESTABLE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(SWITCH_LIBS) -ldl

$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(BASE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -Wl,--as-needed -o $@ $^ -llmdb $(MGMTD_LIBS) $(SWITCH_LIBS)

# It writes what mgmtd writes.
$(BUILD)/tests/bench/make_history: $(BUILD)/obj/tests/bench/make_history.o $(TESTABLE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(MGMTD_LIBS)

# It takes the place of a function that the SIP stack calls.
$(BUILD)/tests/bench/bare_relay: LDFLAGS += -rdynamic

# Preloaded into whatever build is tested: never with a sanitizer of its own.
$(BUILD)/tests/e2e/%.so: tests/e2e/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -fPIC -shared -o $@ $< -ldl

# Only with SAN=address,undefined,fuzzer-no-link and clang: see `make fuzzers`.
$(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(TESTABLE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(MGMTD_LIBS) -ldl

$(BUILD)/tests/fuzz/register_%: $(BUILD)/obj/tests/fuzz/register_%.o $(SWITCH_TESTABLE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(SWITCH_LIBS) -ldl

# The whole switch, its own definitions of libc calls too, but with a clock (so its epoll_wait() goes first), with chance and with
# records of the target's own.
$(BUILD)/tests/fuzz/sip_%: $(BUILD)/obj/tests/fuzz/sip_%.o $(filter-out %/cdr_writer.o,$(BASE)) \
                           $(filter-out %/main.o %/loop.o %/chance.o,$(SWITCH))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -rdynamic -Wl,--allow-multiple-definition -fsanitize=fuzzer -o $@ $^ $(SWITCH_LIBS) -ldl

fuzzers:
	+$(MAKE) --no-print-directory CI= CC="clang -Wno-unknown-warning-option" SAN=address,undefined,fuzzer-no-link BUILD=build/fuzz fuzz-programs

$(BUILD)/reference: $(BUILD)/obj/schema/tool/reference.o $(call objects,schema)
	$(CC) $(LDFLAGS) -o $@ $^
reference: $(BUILD)/reference
	$< >schema/REFERENCE.md

clean:
	rm -rf build $(VENDOR)

# ------------------------------------------------------------------ running and testing

BUILD_DEPS := gcc make pkg-config libc6-dev libmimalloc-dev libmicrohttpd-dev libgnutls28-dev libsqlite3-dev libjansson-dev libjwt-dev \
              libsodium-dev libsofia-sip-ua-dev libssl-dev ca-certificates curl \
              $(if $(PANEL),brotli $(if $(shell command -v npm),,npm))
DEMO_DEPS  := kamailio jq sip-tester
TEST_DEPS  := $(DEMO_DEPS) libcmocka-dev liblmdb-dev etcd-server clang llvm libclang-rt-dev tshark procps \
              util-linux iproute2 openssl python3 python3-pytest python3-pytest-xdist python3-requests python3-jsonschema python3-selenium \
              chromium chromium-driver fonts-dejavu-core
BENCH_DEPS := $(TEST_DEPS) libjemalloc2
LINT_DEPS  := clang-tidy cppcheck shellcheck
FUZZ_SECONDS ?= 600
# Left out: what clang-tidy 14 reports of code that is right (every va_list, every list unlinked before it is freed, sizeof of a pointer).
TIDY_CHECKS := -*,bugprone-*,clang-analyzer-*,-bugprone-easily-swappable-parameters,-bugprone-sizeof-expression,-bugprone-macro-parentheses,$\
	-bugprone-implicit-widening-of-multiplication-result,-bugprone-not-null-terminated-result,-bugprone-suspicious-missing-comma,$\
	-clang-analyzer-valist.Uninitialized,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-clang-analyzer-unix.Malloc

deps:
	@tests/install $(BUILD_DEPS)
demo-deps:
	@tests/install $(BUILD_DEPS) $(DEMO_DEPS)
test-deps:
	@tests/install $(BUILD_DEPS) $(TEST_DEPS)
bench-deps:
	@tests/install $(BUILD_DEPS) $(BENCH_DEPS)

# LISTEN=ADDR:PORT of the API, SIP="udp:ADDR:PORT tcp:ADDR:PORT …", STATE=DIR, RUN=DIR, MGMTD_OPTIONS="--log-level debug", SWITCHCORE_OPTIONS="…".
run: deps
	@+$(MAKE) --no-print-directory -j2 programs
	@exec tests/demo/run $(BUILD)
demo: demo-deps
	@+$(MAKE) --no-print-directory -j2 programs
	@exec tests/demo/run --demo $(BUILD)
test: test-deps
	@exec /usr/bin/python3 tests/run
soak: test-deps
	@exec /usr/bin/python3 tests/run --soak
fuzz: test-deps
	@exec /usr/bin/python3 tests/run --fuzz=$(FUZZ_SECONDS)
# Some rows only: make bench ROWS="change get".  The second mgmtd commits every change alone, to compare with.
bench: bench-deps
	@+$(MAKE) --no-print-directory -j2 programs benches
	@+CFLAGS='-O2 -g -DBATCH_MAX=1' $(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/one-commit $(BUILD)/one-commit/mgmtd
	@exec /usr/bin/python3 tests/bench/run $(ROWS)
lint:
	@tests/install $(BUILD_DEPS) $(LINT_DEPS)
	printf '%s\n' schema/*.c shm/*.c mgmtd/*.c switchcore/*.c | xargs -P 2 -n 8 sh -c 'clang-tidy --quiet --warnings-as-errors="*" \
		--checks="$(TIDY_CHECKS)" "$$@" -- $(filter-out -W% -DTANDEM_VERSION%,$(CFLAGS)) -DTANDEM_VERSION="\"\"" $(MGMTD_CFLAGS) $(SWITCH_CFLAGS) -I$(BUILD)' lint
	cppcheck --quiet --std=c11 --error-exitcode=1 --enable=warning,portability --inline-suppr -I. schema shm mgmtd switchcore
	shellcheck tests/install tests/demo/run .ci/run
export LISTEN SIP STATE RUN MGMTD_OPTIONS SWITCHCORE_OPTIONS

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
