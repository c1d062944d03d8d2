/*
 * What the shared memory costs, beside LMDB in the same tmpfs, in one run.  Each figure is that of the least disturbed
 * of several batches, on both sides.
 *
 *   shm_bench [--quick] [--json]	quick: without the rows of a million records; json: a row a line, for `make bench`
 *
 * Exit code 1 when a bar is missed, with --json 0.
 */
#include "shm/config_writer.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <time.h>

#define BATCHES 300
#define IDS (1u << 18)

static bool missed, json;
static uint32_t ids[IDS];
static char names[IDS][SCHEMA_NAME_MAX + 1];	/* of those ids: what a change brings with it */
static volatile uint64_t sink;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ns for one of what many(arg, n) does n times. */
static double measure(void (*many)(void *arg, uint32_t n), void *arg, uint32_t n)
{
	double least = 1e18;

	many(arg, n / 4 + 1);
	for (int i = 0; i < BATCHES; i++) {
		double begin = now_ns();
		many(arg, n);
		double each = (now_ns() - begin) / n;
		if (each < least)
			least = each;
	}
	return least;
}

static void pick_ids(uint32_t records)
{
	uint64_t x = 88172645463325252u;

	for (uint32_t i = 0; i < IDS; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		ids[i] = (uint32_t)(x % records);
		snprintf(names[i], sizeof names[i], "trunk-%u", ids[i]);
	}
}

static void print_row(const char *what, const char *measured, const char *bar, double ratio)
{
	char number[32] = "null";

	if (ratio > 0)
		snprintf(number, sizeof number, "%.3f", ratio);
	if (json)
		printf("{\"what\": \"%s\", \"measured\": \"%s\", \"bar\": \"%s\", \"ratio\": %s}\n", what, measured, bar, number);
	else
		printf("%-44s %-36s %-24s %s\n", what, measured, bar, ratio <= 0 ? "" : ratio >= 1 ? "PASS" : "short of the bar");
	fflush(stdout);
	missed |= ratio > 0 && ratio < 1;
}

struct figure { double value; const char *unit; };

static struct figure figure(double ns)
{
	if (ns >= 1e6)
		return (struct figure){ ns / 1e6, "ms" };
	return ns >= 1000 ? (struct figure){ ns / 1000, "µs" } : (struct figure){ ns, "ns" };
}

/* How many times better than the bars, the worst of them; 0 = there is none. */
static double verdict(double ours, double peer, double most, double least_factor)
{
	double by_time = most > 0 ? most / ours : 0, by_peer = least_factor > 0 ? peer / ours / least_factor : 0;

	return by_time > 0 && (by_peer <= 0 || by_time < by_peer) ? by_time : by_peer;
}

/* One row: what, ours, LMDB's if there is one, and the bars if there are any. */
static void row(const char *what, double ours, double peer, double most, double least_factor)
{
	double ratio = verdict(ours, peer, most, least_factor);
	char measured[96], bar[64] = "";
	int n = snprintf(measured, sizeof measured, "%.2f %s", figure(ours).value, figure(ours).unit);

	if (peer > 0)
		snprintf(measured + n, sizeof measured - (size_t)n, ", LMDB %.2f %s: %.1fx", figure(peer).value, figure(peer).unit,
		         peer / ours);
	if (most > 0)
		snprintf(bar, sizeof bar, "<= %.0f ns%s", most, least_factor > 0 ? ", " : "");
	if (least_factor > 0)
		snprintf(bar + strlen(bar), sizeof bar - strlen(bar), ">= %.0fx LMDB", least_factor);
	print_row(what, measured, bar, ratio);
}

static void die(const char *what, int error)
{
	fprintf(stderr, "shm_bench: %s: %s\n", what, error < 0 ? mdb_strerror(error) : strerror(error));
	exit(2);
}

/* ------------------------------------------------------------------ ours */

struct ours {
	char *dir;
	struct config_writer *w;
	struct config_reader *r;
	const struct snapshot *snap;
	uint64_t revision;
	uint32_t records;
	struct registration_record rec;
};

static void ours_fill(struct ours *o, uint32_t records)
{
	struct sip_parameters parameters = { .SS_SIP_USER_AGENT_RETRY_DELAY = 60 };
	struct shm_why why;
	int error;

	o->dir = scratch_dir();
	o->records = records;
	if ((error = config_writer_open(&o->w, o->dir, NULL, &why)) || (error = config_begin(o->w)) ||
	    (error = config_set_parameters(o->w, &parameters)))
		die("writer", error);
	for (uint32_t id = 0; id < records; id++) {
		scratch_record(&o->rec, id, 1);
		if ((error = config_put(o->w, KIND_REGISTRATION, &o->rec.head)))
			die("put", error);
	}
	if ((error = config_publish(o->w, ++o->revision, NULL)) ||
	    (error = config_reader_open(&o->r, o->dir, READER_TOOL, &why)) ||
	    (error = config_refresh(o->r, &o->snap, NULL, &why)))
		die("publish", error);
	config_idle(o->r);
}

static void ours_close(struct ours *o)
{
	config_reader_close(o->r);
	config_writer_close(o->w);
	scratch_remove(o->dir);
}

static void read_parameter(void *arg, uint32_t n)
{
	struct ours *o = arg;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		sum += (uint64_t)snapshot_parameters(o->snap)->SS_SIP_USER_AGENT_RETRY_DELAY;
		__asm__ volatile("" : : : "memory");	/* loaded each time */
	}
	sink = sum;
}

static void refresh_only(void *arg, uint32_t n)
{
	struct ours *o = arg;

	for (uint32_t i = 0; i < n; i++)
		config_refresh(o->r, &o->snap, NULL, NULL);
}

static void pin_and_unpin(void *arg, uint32_t n)
{
	struct ours *o = arg;

	for (uint32_t i = 0; i < n; i++) {
		config_refresh(o->r, &o->snap, NULL, NULL);
		config_idle(o->r);
	}
}

static void read_record(void *arg, uint32_t n)
{
	static uint32_t from;
	struct ours *o = arg;
	uint64_t sum = 0;

	for (uint32_t i = from; i < from + n; i++) {
		const struct record *rec = snapshot_record(o->snap, KIND_REGISTRATION, ids[i % IDS]);
		sum += rec->incarnation + rec->revision;
	}
	from += n;
	sink = sum;
}

static void find_record(void *arg, uint32_t n)
{
	static uint32_t from;
	struct ours *o = arg;
	uint64_t sum = 0;

	for (uint32_t i = from; i < from + n; i++)
		sum += snapshot_find(o->snap, KIND_REGISTRATION, names[i % IDS])->revision;
	from += n;
	sink = sum;
}

static void publish_one(void *arg, uint32_t n)
{
	struct ours *o = arg;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = o->revision++ % IDS;
		o->rec.head.id = ids[at];
		o->rec.head.incarnation = ids[at] + 1;
		o->rec.head.revision = o->revision;
		memcpy(o->rec.head.name, names[at], sizeof names[at]);
		if (config_begin(o->w) || config_put(o->w, KIND_REGISTRATION, &o->rec.head) ||
		    config_publish(o->w, o->revision, NULL))
			die("publish", ENOSPC);
	}
}

static void count_one(const struct record *rec, uint32_t id, void *arg)
{
	(void)id;
	*(uint64_t *)arg += rec->revision;
}

static void publish_and_find(void *arg, uint32_t n)
{
	struct ours *o = arg;
	uint64_t applied, sum = 0;
	uint32_t limit;

	for (uint32_t i = 0; i < n; i++) {
		config_refresh(o->r, &o->snap, NULL, NULL);
		applied = snapshot_generation(o->snap);
		config_applied(o->r, applied);
		publish_one(o, 1);
		config_refresh(o->r, &o->snap, NULL, NULL);
		config_changes(o->snap, KIND_REGISTRATION, applied, count_one, &sum, &limit);
	}
	sink = sum;
}

/* What publishing would cost if each change made a whole new file: allocate, copy every record, rename. */
static double rebuild(struct ours *o)
{
	struct shm_map map;
	struct shm_why why;
	char from[200], to[200];
	double begin = now_ns();

	if (shm_map_create(&map, o->dir, "whole.new", (uint64_t)o->records * sizeof o->rec, &why))
		die(why.text, ENOSPC);
	for (uint32_t id = 0; id < o->records; id++)
		memcpy((struct registration_record *)map.base + id, config_writer_record(o->w, KIND_REGISTRATION, id), sizeof o->rec);
	scratch_path(from, sizeof from, o->dir, "whole.new");
	scratch_path(to, sizeof to, o->dir, "whole");
	if (rename(from, to) != 0)
		die("rename", errno);
	shm_map_close(&map);
	return now_ns() - begin;
}

static double restart(struct ours *o)
{
	struct shm_why why;
	double begin;

	config_writer_close(o->w);
	begin = now_ns();
	if (config_writer_open(&o->w, o->dir, NULL, &why))
		die(why.text, EINVAL);
	return now_ns() - begin;
}

/* ------------------------------------------------------------------ LMDB */

struct peer {
	char *dir;
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn;
	uint64_t revision;
	struct registration_record rec;
};

static void must(int error, const char *what)
{
	if (error)
		die(what, error);
}

static void peer_fill(struct peer *p, uint32_t records)
{
	MDB_txn *txn;

	p->dir = scratch_dir();
	must(mdb_env_create(&p->env), "mdb_env_create");
	must(mdb_env_set_mapsize(p->env, (size_t)records * 8192 + (64u << 20)), "mdb_env_set_mapsize");
	/* In memory nothing needs to be synced: the fastest it can be. */
	must(mdb_env_open(p->env, p->dir, MDB_NOSYNC | MDB_WRITEMAP | MDB_NOMETASYNC | MDB_NOTLS, 0600), "mdb_env_open");
	must(mdb_txn_begin(p->env, NULL, 0, &txn), "mdb_txn_begin");
	must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &p->dbi), "mdb_dbi_open");
	for (uint32_t id = 0; id < records; id++) {
		scratch_record(&p->rec, id, 1);
		MDB_val key = { sizeof id, &id }, value = { sizeof p->rec, &p->rec };
		must(mdb_put(txn, p->dbi, &key, &value, MDB_APPEND), "mdb_put");
	}
	must(mdb_txn_commit(txn), "mdb_txn_commit");
	must(mdb_txn_begin(p->env, NULL, MDB_RDONLY, &p->txn), "mdb_txn_begin");
}

static void peer_close(struct peer *p)
{
	mdb_txn_abort(p->txn);
	mdb_env_close(p->env);
	scratch_remove(p->dir);
}

static void peer_parameter(void *arg, uint32_t n)
{
	struct peer *p = arg;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = 0;
		MDB_val key = { sizeof id, &id }, value;
		must(mdb_get(p->txn, p->dbi, &key, &value), "mdb_get");
		sum += *(const uint32_t *)value.mv_data;
	}
	sink = sum;
}

static void peer_refresh(void *arg, uint32_t n)
{
	struct peer *p = arg;

	for (uint32_t i = 0; i < n; i++) {
		mdb_txn_reset(p->txn);
		must(mdb_txn_renew(p->txn), "mdb_txn_renew");
	}
}

static void peer_record(void *arg, uint32_t n)
{
	static uint32_t from;
	struct peer *p = arg;
	uint64_t sum = 0;

	for (uint32_t i = from; i < from + n; i++) {
		MDB_val key = { sizeof ids[0], &ids[i % IDS] }, value;
		must(mdb_get(p->txn, p->dbi, &key, &value), "mdb_get");
		sum += ((const struct record *)value.mv_data)->incarnation + ((const struct record *)value.mv_data)->revision;
	}
	from += n;
	sink = sum;
}

static void peer_publish(void *arg, uint32_t n)
{
	struct peer *p = arg;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = ids[p->revision % IDS];
		MDB_val key = { sizeof id, &id }, value = { sizeof p->rec, &p->rec };
		MDB_txn *txn;
		p->rec.head.id = id;
		p->rec.head.revision = ++p->revision;
		must(mdb_txn_begin(p->env, NULL, 0, &txn), "mdb_txn_begin");
		must(mdb_put(txn, p->dbi, &key, &value, 0), "mdb_put");
		must(mdb_txn_commit(txn), "mdb_txn_commit");
	}
}

/* ------------------------------------------------------------------ the table */

static void reads(struct ours *o, struct peer *p)
{
	config_refresh(o->r, &o->snap, NULL, NULL);
	row("parameter read in a pinned snapshot", measure(read_parameter, o, 1000000), measure(peer_parameter, p, 10000), 2,
	    0);
	row("refresh, nothing new", measure(refresh_only, o, 200000), 0, 0, 0);
	row("pin + unpin", measure(pin_and_unpin, o, 100000), measure(peer_refresh, p, 50000), 15, 0);
	config_refresh(o->r, &o->snap, NULL, NULL);
	row("random record among 100,000 by id", measure(read_record, o, 30000), measure(peer_record, p, 1000), 30, 5);
	row("random record among 100,000 by name", measure(find_record, o, 3000), 0, 0, 0);
	config_idle(o->r);
}

static double publishes(const char *what, struct ours *o, double most)
{
	struct peer p = { 0 };
	double ours, peer;

	pick_ids(o->records);
	peer_fill(&p, o->records);
	mdb_txn_reset(p.txn);
	ours = measure(publish_one, o, 500);
	peer = measure(peer_publish, &p, 500);
	row(what, ours, peer, most, 0);
	mdb_txn_renew(p.txn);
	if (o->records == 100000) {
		reads(o, &p);
		row("publish + find what changed among 100,000", measure(publish_and_find, o, 300), 0, 0, 0);
		row("writer restart at 100,000", restart(o), 0, 0, 0);
	}
	peer_close(&p);
	return ours;
}

int main(int argc, char **argv)
{
	static const struct { uint32_t records; const char *publish, *rebuild; double most; } sizes[] = {
		{ 100, "publish one of 100", NULL, 0 },
		{ 1000, "publish one of 1,000", NULL, 0 },
		{ 10000, "publish one of 10,000", "whole snapshot of 10,000 instead", 0 },
		{ 100000, "publish one of 100,000", "whole snapshot of 100,000 instead", 3000 },
		{ 1000000, "publish one of 1,000,000", "whole snapshot of 1,000,000 instead", 0 },
	};
	size_t n = sizeof sizes / sizeof sizes[0];
	double cost[sizeof sizes / sizeof sizes[0]];
	char measured[32];

	for (int i = 1; i < argc; i++) {
		json |= strcmp(argv[i], "--json") == 0;
		n -= strcmp(argv[i], "--quick") == 0;
	}

	for (size_t i = 0; i < n; i++) {
		struct ours o = { 0 };
		ours_fill(&o, sizes[i].records);
		cost[i] = publishes(sizes[i].publish, &o, sizes[i].most);
		if (sizes[i].rebuild)
			row(sizes[i].rebuild, rebuild(&o), 0, 0, 0);
		ours_close(&o);
	}
	snprintf(measured, sizeof measured, "%.2fx", cost[3] / cost[1]);
	print_row("publish one of 100,000 against one of 1,000", measured, "<= 2.5x", 2.5 * cost[1] / cost[3]);
	return missed && !json;
}
