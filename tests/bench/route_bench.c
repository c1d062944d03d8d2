/*
 * What letting a call in, routing and counting it costs, among few and among many gateways and prefixes.  The callees and
 * sources are drawn from all there are, so the caches of the processor get no help that real calls would not give.
 *
 *   route_bench [--json]		json: a row a line, for `make bench`
 */
#include "switchcore/gateway.h"
#include "tests/bench/samples.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define BATCHES 60
#define CALLS 20000u
#define DRAWN 65536u
#define SMALL_GATEWAYS 10u
#define LARGE_GATEWAYS 10000u
#define CALLS_PER_SECOND 500u
#define CALL_US 100.0		/* of a core, that the whole of a short call takes at least: see the row call-cpu */

static struct {
	struct gateways *gateways;
	struct registrations *registrations;
	struct pacing *pacing;
	struct timers timers;
	struct listener listener;
	uint64_t now, reports;
	char callees[DRAWN][16];
	union address sources[DRAWN];
} lab;
static bool json;

static uint64_t w_now(void *arg)
{
	(void)arg;
	return lab.now;
}

static uint32_t w_random(void *arg)
{
	static uint32_t x = 1;

	(void)arg;
	return x = x * 1664525u + 1013904223u;
}

static const struct listener *w_listener(void *arg, const char *name, int32_t transport, sa_family_t family)
{
	(void)arg;
	(void)name;
	(void)transport;
	(void)family;
	return &lab.listener;
}

static int w_resolve(void *arg, struct resolver_wait *wait, struct resolver_result *result, const char *host, uint16_t port,
                     int32_t transport)
{
	(void)arg;
	(void)wait;
	(void)result;
	(void)host;
	(void)port;
	(void)transport;
	return ENOENT;
}

static void w_report(void *arg, enum kind_id kind, uint32_t id, const struct gateway_status *status)
{
	(void)arg;
	(void)kind;
	(void)id;
	lab.reports += status->calls_total > 0;
}

static void w_event(void *arg, const struct status_event *event)
{
	(void)arg;
	(void)event;
}

static void must(int error, const char *what)
{
	if (error) {
		fprintf(stderr, "route_bench: %s: %s\n", what, strerror(error));
		exit(1);
	}
}

/* ------------------------------------------------------------------ what there is */

/* Prefix n: as long as it takes, and no beginning of another, as in a list of destinations. */
static void write_prefix(char *text, size_t size, uint32_t n, uint32_t prefixes, const char *rest)
{
	snprintf(text, size, "%0*" PRIu32 "%s", prefixes > 1000 ? 5 + (int)(n % 3) : 3, n, rest);
}

/* A prefix may be that of several gateways, and a gateway has several. */
static void put_routing(uint32_t id, uint32_t gateways, uint32_t prefixes)
{
	struct routing_gateway_record r;
	uint32_t each = prefixes > gateways ? prefixes / gateways : 1;

	memset(&r, 0, sizeof r);
	r.head = (struct record){ .id = id, .present = 1, .incarnation = 1, .revision = 1 };
	snprintf(r.head.name, sizeof r.head.name, "carrier-%" PRIu32, id);
	snprintf(r.host, sizeof r.host, "10.%u.%u.1", id >> 8 & 255, id & 255);
	r.enabled = 1;
	r.capacity = 1000;
	r.max_cps = 10000;
	r.priority = 100;
	for (uint32_t i = 0; i < each && prefixes > 1; i++)
		write_prefix(r.prefixes.prefix[r.prefixes.count++], sizeof r.prefixes.prefix[0], (id * each + i) % prefixes, prefixes, "");
	must(gateways_put_routing(lab.gateways, &r), "a routing gateway");
}

static void put_mapping(uint32_t id)
{
	struct mapping_gateway_record m;

	memset(&m, 0, sizeof m);
	m.head = (struct record){ .id = id, .present = 1, .incarnation = 1, .revision = 1 };
	snprintf(m.head.name, sizeof m.head.name, "customer-%" PRIu32, id);
	m.enabled = 1;
	m.sources.count = 1;
	snprintf(m.sources.source[0], sizeof m.sources.source[0], id % 4 ? "172.16.%u.%u" : "172.%u.%u.0/24",
	         id % 4 ? id >> 8 & 255 : 20 + (id >> 8), id & 255);
	must(gateways_put_mapping(lab.gateways, &m), "a mapping gateway");
}

static void draw(uint32_t gateways, uint32_t prefixes)
{
	char text[32];

	for (uint32_t i = 0; i < DRAWN; i++) {
		uint32_t m = w_random(NULL) >> 8, id = m % gateways;
		write_prefix(lab.callees[i], sizeof lab.callees[i], (w_random(NULL) >> 8) % prefixes, prefixes, "5551234");
		snprintf(text, sizeof text, id % 4 ? "172.16.%u.%u" : "172.%u.%u.77", id % 4 ? id >> 8 & 255 : 20 + (id >> 8), id & 255);
		address_parse(&lab.sources[i], text, 5060);
	}
}

static void begin(uint32_t gateways, uint32_t prefixes)
{
	const struct gateway_world world = { .now = w_now, .wall = w_now, .random = w_random, .listener = w_listener,
	                                     .resolve = w_resolve, .report = w_report, .event = w_event };
	const struct registration_world none = { .now = w_now };

	lab.now = 5000 * SECOND_US;
	must(registrations_create(&lab.registrations, &none, &lab.timers, NULL), "registrations");
	must(gateways_create(&lab.gateways, &world, &lab.timers, lab.registrations), "gateways");
	for (uint32_t id = 0; id < gateways; id++) {
		put_routing(id, gateways, prefixes);
		put_mapping(id);
	}
	draw(gateways, prefixes);
}

static void end(void)
{
	gateways_destroy(lab.gateways);
	registrations_destroy(lab.registrations);
	timers_free(&lab.timers);
}

/* ------------------------------------------------------------------ calls */

static void call(uint32_t n)
{
	struct mapping_gateway *m = gateways_by_source(lab.gateways, &lab.sources[n % DRAWN], "");
	struct routing_gateway *r;
	struct route route;

	if (!m || mapping_admit(m) != 0)
		must(ENOENT, "no mapping gateway lets a call in");
	route_begin(&route, lab.gateways, lab.callees[n % DRAWN]);
	r = route_next(&route, NULL, NULL);
	if (!r || routing_claim(r) != 0)
		must(ENOENT, "no routing gateway takes a call");
	gateway_tried(gateway_of_routing(r), 200);
	gateway_answered(gateway_of_routing(r));
	gateway_answered(gateway_of_mapping(m));
	gateway_ended(gateway_of_routing(r), 1000);
	gateway_ended(gateway_of_mapping(m), 1000);
	routing_release(r);
	mapping_release(m);
}

/* ns of a call, the least disturbed batch. */
static double cost(uint32_t gateways, uint32_t prefixes, uint32_t calls)
{
	double least = 1e18;

	begin(gateways, prefixes);
	for (uint32_t b = 0; b <= BATCHES; b++) {
		uint64_t started = clock_ns();
		double each;
		for (uint32_t n = 0; n < calls; n++)
			call(b * calls + n);
		each = (double)(clock_ns() - started) / calls;
		if (b > 0 && each < least)
			least = each;
		lab.now += SECOND_US;
	}
	end();
	return least;
}

/* Share of a core, in per cent, that all of it takes at 500 calls a second: sweeps, status and calls. */
static double upkeep(uint32_t gateways, uint32_t prefixes, double *records)
{
	uint64_t started = 0;

	begin(gateways, prefixes);
	for (uint32_t n = 0; n < 12 * CALLS_PER_SECOND; n++) {
		if (n == 2 * CALLS_PER_SECOND) {
			started = cpu_ns();
			lab.reports = 0;
		}
		call(n);
		lab.now += SECOND_US / CALLS_PER_SECOND;
		gateways_tick(lab.gateways);
	}
	started = cpu_ns() - started;
	*records = (double)lab.reports / 10;
	end();
	return (double)started / 1e9 / 10 * 100;
}

static void row(const char *what, const char *measured, const char *bar, double ratio)
{
	char number[32] = "null";

	if (ratio > 0)
		snprintf(number, sizeof number, "%.3f", ratio);
	if (json)
		printf("{\"what\": \"%s\", \"measured\": \"%s\", \"bar\": \"%s\", \"ratio\": %s}\n", what, measured, bar, number);
	else
		printf("%-56s %-52s %s %s\n", what, measured, bar, ratio <= 0 ? "" : ratio >= 1 ? "met" : "short");
}

/* Of the whole of a call, which it is a small part of: that is what grows by 1.2 at most. */
static void compare(const char *what, double ns, double base)
{
	double times = (CALL_US + ns / 1000) / (CALL_US + base / 1000);
	char measured[96];

	snprintf(measured, sizeof measured, "%.2f us, %.2fx; of a call of %.0f us %.3fx", ns / 1000, ns / base, CALL_US, times);
	row(what, measured, "<= 1.2x", 1.2 / times);
}

int main(int argc, char **argv)
{
	double base, records, share;
	char measured[96];

	json = argc > 1 && strcmp(argv[1], "--json") == 0;
	base = cost(SMALL_GATEWAYS, 100, CALLS);
	snprintf(measured, sizeof measured, "%.2f us", base / 1000);
	row("let in, route and count a call: 10 gateways, 100 prefixes", measured, "", 0);
	compare("… 10,000 gateways, 100 prefixes", cost(LARGE_GATEWAYS, 100, CALLS), base);
	compare("… 10,000 gateways, 100,000 prefixes", cost(LARGE_GATEWAYS, 100000, CALLS), base);
	compare("… 10,000 gateways, all of the same prefix", cost(LARGE_GATEWAYS, 1, CALLS / 40), base);
	share = upkeep(LARGE_GATEWAYS, 100000, &records);
	snprintf(measured, sizeof measured, "%.1f %% of a core, %.0f records/s", share, records);
	row("10,000 gateways of each kind at 500 calls/s, all upkeep", measured, "<= 5 % of a core", 5 / share);
	return 0;
}
