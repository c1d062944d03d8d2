/*
 * A config file whose header and pages were damaged in any way: attach, take a snapshot, walk everything; then let a
 * writer have it.  The input is a list of edits {place, value} of a good file, after which the root page's checksum
 * may be made right again, so that what lies behind it is reached too.
 */
#include "shm/config_writer.h"
#include "tests/shm/scratch.h"

#include <fcntl.h>
#include <sys/mman.h>

#define RECORDS 200u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *dir, path[256];
static uint8_t *good, *mapped;		/* the file as it was published, and as the readers map it */
static size_t file_size;
static uint64_t sink;

static void remove_dir(void)
{
	scratch_remove(dir);
}

static void publish(void)
{
	struct config_options options = { .spare_pages = 20 };
	struct registration_record rec;
	struct config_writer *w;
	struct shm_why why;

	if (config_writer_open(&w, dir, &options, &why) != 0 || config_begin(w) != 0)
		abort();
	for (uint32_t id = 0; id < RECORDS; id++) {
		scratch_record(&rec, id, 1);
		if (config_put(w, KIND_REGISTRATION, &rec.head) != 0)
			abort();
	}
	if (config_set_parameters(w, &(struct sip_parameters){ 0 }) != 0 || config_publish(w, 1, NULL) != 0)
		abort();
	config_writer_close(w);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct stat st;
	int fd;

	(void)argc, (void)argv;
	dir = scratch_dir();
	atexit(remove_dir);
	scratch_path(path, sizeof path, dir, "config");
	publish();
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		abort();
	file_size = (size_t)st.st_size;
	mapped = mmap(NULL, file_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	good = malloc(file_size);
	if (mapped == MAP_FAILED || !good)
		abort();
	memcpy(good, mapped, file_size);
	return 0;
}

static void note(const struct record *rec, uint32_t id, void *arg)
{
	(void)arg;
	sink += rec->present + rec->revision + id;
}

/* Every byte a reader could be led to. */
static void walk(const struct snapshot *snap)
{
	char name[64];
	uint32_t limit = 0;

	sink += snapshot_generation(snap) + snapshot_revision(snap);
	sink += (uint64_t)snapshot_parameters(snap)->SS_SIP_USER_AGENT_EXPIRE;
	for (uint32_t id = 0; id < 2 * RECORDS; id++) {
		const struct record *rec = snapshot_record(snap, KIND_REGISTRATION, id);
		for (size_t i = 0; rec && i < sizeof(struct registration_record); i += 8)
			sink += ((const uint8_t *)rec)[i];
		snprintf(name, sizeof name, "trunk-%u", id);
		if ((rec = snapshot_find(snap, KIND_REGISTRATION, name)))
			sink += rec->revision;
	}
	for (uint32_t id = 1; id; id <<= 1)
		sink += snapshot_record(snap, KIND_REGISTRATION, id - 1) != NULL;
	if (snapshot_count(snap, KIND_REGISTRATION) < 1000000)
		config_changes(snap, KIND_REGISTRATION, 0, note, NULL, &limit);
}

static void mend_checksum(void)
{
	uint64_t word = ((struct config_header *)mapped)->root;
	uint32_t page = CONFIG_WORD_PAGE(word);

	if (page && (size_t)page < file_size / CONFIG_PAGE) {
		struct config_root *root = (struct config_root *)(mapped + (size_t)page * CONFIG_PAGE);
		root->checksum = config_root_checksum(root);
	}
}

/* The pages that matter come first: header, root, directories, index, leaves lie at the beginning. */
static size_t place(uint32_t raw)
{
	uint64_t word = ((const struct config_header *)good)->root;
	size_t root = (size_t)CONFIG_WORD_PAGE(word) * CONFIG_PAGE;

	switch (raw >> 30) {
	case 0: return raw % 512;
	case 1: return root + raw % 512;
	case 2: return root + raw % CONFIG_PAGE;
	default: return raw % file_size;
	}
}

static void damage(const uint8_t *data, size_t size)
{
	for (; size >= 12; data += 12, size -= 12) {
		uint32_t raw, width;
		uint64_t value = 0;
		memcpy(&raw, data, 4);
		memcpy(&value, data + 4, 8);
		width = 1u << (value & 3);
		size_t at = place(raw) & ~(size_t)(width - 1);
		value >>= 2;
		memcpy(mapped + at, &value, width);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_options options = { .spare_pages = 20 };
	struct config_reader *r;
	struct config_writer *w;
	const struct snapshot *snap;
	struct shm_why why;
	char kept[256];

	if (size < 1 || size > 1200)
		return 0;
	damage(data + 1, size - 1);
	if (data[0] & 1)
		mend_checksum();
	if (config_reader_open(&r, dir, READER_TOOL, &why) == 0) {
		if (config_refresh(r, &snap, NULL, &why) == 0)
			walk(snap);
		config_idle(r);
		config_reader_close(r);
	}
	if (data[0] & 2) {
		/* The writer may replace the file; ours gets its name back afterwards. */
		scratch_path(kept, sizeof kept, dir, "kept");
		if (link(path, kept) != 0)
			abort();
		if (config_writer_open(&w, dir, &options, &why) == 0) {
			for (uint32_t id = 0; id < RECORDS; id += 7) {
				const struct record *rec = config_writer_record(w, KIND_REGISTRATION, id);
				sink += rec ? rec->revision : 0;
			}
			config_writer_close(w);
		}
		if (rename(kept, path) != 0 || (unlink(kept) != 0 && access(kept, F_OK) == 0))
			abort();
	}
	memcpy(mapped, good, file_size);
	return 0;
}
