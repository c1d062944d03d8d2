/* A change of the configuration: begin, edits of copies, publish or abandon. */
#include "shm/config_writer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

static uint64_t realtime_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void writer_view(const struct config_writer *w, struct snapshot *view)
{
	*view = (struct snapshot){ 0 };
	snapshot_fill(view, writer_pool(w)->header, writer_pool(w)->npages, w->root);
}

/* The root page's words in use. */
static void copy_root(struct config_root *to, const struct config_root *from)
{
	memcpy(to, from, offsetof(struct config_root, words));
	for (unsigned k = 0; k < SHM_KINDS; k++) {
		memcpy(to->words[k].dir, from->words[k].dir, from->tree[k].dirs * sizeof(uint64_t));
		memcpy(to->words[k].index_dir, from->words[k].index_dir, from->tree[k].index_dirs * sizeof(uint64_t));
	}
}

int config_begin(struct config_writer *w)
{
	struct config_root *root;
	int error;

	assert(!w->changing);
	if (w->lost)
		return EBUSY;
	if (w->generation >= CONFIG_GENERATION_MAX)
		return EOVERFLOW;
	w->next = w->generation + 1;
	w->failed = 0;
	/* Now, not when pages run short: the pages replaced a moment ago are still in the cache. */
	if (w->pool && !w->detached)
		writer_reclaim(w);
	else if (!w->draft && (error = draft_begin(w, NULL)) != 0)
		return error;
	w->root = w->now.root_page;
	if ((error = writer_take(w, &w->root)) != 0) {
		if (w->pool)
			draft_abandon(w);
		return error;
	}
	root = writer_root(w);
	if (FAULT(ROOT_FIRST) && !w->draft)
		atomic_store_explicit(&w->pool->header->root, CONFIG_WORD(w->next, w->root), memory_order_release);
	if (w->pool) {
		copy_root(root, writer_page(w, w->now.root_page));
		writer_replace(w, w->now.root_page);
	} else {
		memset(root, 0, sizeof *root);
	}
	root->generation = w->next;
	w->changing = true;
	return 0;
}

/* A step of the change could not be completed: it can only be abandoned. */
static int failed(struct config_writer *w, int error)
{
	if (error)
		w->failed = error;
	return error;
}

int config_set_parameters(struct config_writer *w, const struct sip_parameters *parameters)
{
	uint64_t word = writer_root(w)->parameters;
	uint32_t page = CONFIG_WORD_PAGE(word);
	struct config_parameters *p;
	int error;

	assert(w->changing);
	if (page == 0 || CONFIG_WORD_GENERATION(word) != w->next) {
		uint32_t old = page;
		if ((error = writer_take(w, &page)) != 0)
			return failed(w, error);
		if (old)
			writer_replace(w, old);
		writer_root(w)->parameters = CONFIG_WORD(w->next, page);
	}
	p = writer_page(w, page);
	memset(p, 0, sizeof *p);
	p->generation = w->next;
	p->parameters = *parameters;
	return 0;
}

/* A leaf among 100,000 records is in no cache.  It is read from four places in turn: they lie in as many pages of the
 * memory management, whose look-ups and misses so overlap. */
static void copy_leaf(struct config_leaf *to, const struct config_leaf *from)
{
	enum { STREAMS = 4, LINE = 64, STREAM = CONFIG_PAGE / STREAMS };

	for (size_t line = 0; line < STREAM; line += LINE)
		for (size_t at = line; at < CONFIG_PAGE; at += STREAM)
			memcpy((uint8_t *)to + at, (const uint8_t *)from + at, LINE);
}

/* The leaf of a record and its place there, ours to write. */
static int edit_record(struct config_writer *w, enum kind_id kind, uint32_t id, struct config_leaf **leaf,
                       struct record **record)
{
	uint32_t per_leaf = config_per_leaf(kind), page, old;
	int error = tree_edit(w, kind, BRANCH_LEAVES, id / per_leaf, &page, &old);

	if (error)
		return error;
	*leaf = writer_page(w, page);
	*record = (struct record *)((*leaf)->records + (size_t)(id % per_leaf) * config_record_size(kind));
	if (old == 0)
		memset((*leaf)->records, 0, sizeof (*leaf)->records);
	else if (old != page)
		copy_leaf(*leaf, writer_page(w, old));
	(*leaf)->generation = w->next;
	(*leaf)->kind = kind;
	return 0;
}

static bool leaf_empty(const struct config_leaf *leaf, enum kind_id kind)
{
	for (uint32_t i = 0; i < config_per_leaf(kind); i++)
		if (((const struct record *)(leaf->records + (size_t)i * config_record_size(kind)))->present)
			return false;
	return true;
}

/* Takes an empty leaf out of the tree. */
static void drop_if_empty(struct config_writer *w, enum kind_id kind, uint32_t id, const struct config_leaf *leaf)
{
	if (leaf_empty(leaf, kind))
		tree_drop(w, kind, id / config_per_leaf(kind));
}

/* Gives the record its name in the index, in place of the one that `former` has there. */
static int rename_record(struct config_writer *w, enum kind_id kind, const struct record *former,
                         const struct record *rec)
{
	struct snapshot view;
	int error;

	writer_view(w, &view);
	if (snapshot_find(&view, kind, rec->name))
		return EEXIST;
	if (former->present && (error = index_remove(w, kind, former->name, rec->id)) != 0)
		return failed(w, error);
	return failed(w, index_insert(w, kind, rec->name, rec->id));
}

int config_put(struct config_writer *w, enum kind_id kind, const struct record *rec)
{
	struct record *record;
	struct config_leaf *leaf;
	struct config_tree *tree;
	int error;

	assert(w->changing);
	if (!config_is_record_kind(kind) || !rec->present || rec->name[0] == '\0' || rec->name[SCHEMA_NAME_MAX] != '\0')
		return EINVAL;
	if (rec->id / config_per_leaf(kind) >= CONFIG_DIRS * CONFIG_FANOUT)
		return ERANGE;
	/* The former record is looked at in the copy: its own lines would be waited for one by one. */
	if ((error = edit_record(w, kind, rec->id, &leaf, &record)) != 0)
		return failed(w, error);
	if (!record->present || strncmp(record->name, rec->name, sizeof rec->name) != 0) {
		error = rename_record(w, kind, record, rec);
		if (error == EEXIST)
			drop_if_empty(w, kind, rec->id, leaf);
		/* The index may have needed pages of a larger file, and then all addresses have changed. */
		if (error || (error = failed(w, edit_record(w, kind, rec->id, &leaf, &record))) != 0)
			return error;
	}
	tree = &writer_root(w)->tree[kind - 1];
	tree->count += !record->present;
	if (rec->id >= tree->limit)
		tree->limit = rec->id + 1;
	memcpy(record, rec, config_record_size(kind));
	return 0;
}

int config_delete(struct config_writer *w, enum kind_id kind, uint32_t id)
{
	struct config_leaf *leaf;
	struct record *record;
	struct snapshot view;
	int error;

	assert(w->changing);
	writer_view(w, &view);
	if (!snapshot_record(&view, kind, id))
		return ENOENT;
	if ((error = edit_record(w, kind, id, &leaf, &record)) != 0 ||
	    (error = index_remove(w, kind, record->name, id)) != 0 ||
	    (error = edit_record(w, kind, id, &leaf, &record)) != 0)
		return failed(w, error);
	memset(record, 0, config_record_size(kind));
	writer_root(w)->tree[kind - 1].count--;
	drop_if_empty(w, kind, id, leaf);
	return 0;
}

int config_clear(struct config_writer *w)
{
	int error = 0;

	assert(w->changing);
	for (enum kind_id kind = 0; kind < KIND_COUNT; kind++) {
		if (!config_is_record_kind(kind))
			continue;
		for (uint32_t id = writer_root(w)->tree[kind - 1].limit; error == 0 && id-- > 0;)
			if ((error = config_delete(w, kind, id)) == ENOENT)
				error = 0;
		if (error == 0)
			writer_root(w)->tree[kind - 1].limit = 0;
	}
	return error;
}

int config_publish(struct config_writer *w, uint64_t revision, uint64_t *generation)
{
	uint64_t word = CONFIG_WORD(w->next, w->root);
	struct config_root *root = writer_root(w);
	int error;

	assert(w->changing);
	if (w->failed) {
		error = w->failed;
		goto out;
	}
	root->revision = revision;
	root->committed_at = realtime_us();
	root->checksum = config_root_checksum(root);
	if (w->draft) {
		if ((error = draft_publish(w, word, NULL)) != 0)
			goto out;
	} else {
		/* The commit.  Release: all of the generation's pages first; pairs with the acquire in take_root(). */
		atomic_store_explicit(&w->pool->header->root, word, memory_order_release);
		pool_commit(w->pool, w->next);
	}
	w->changing = false;
	w->generation = w->next;
	snapshot_fill(&w->now, w->pool->header, w->pool->npages, w->root);
	if (generation)
		*generation = w->generation;
	return 0;
out:
	config_abandon(w);
	return error;
}

void config_abandon(struct config_writer *w)
{
	if (!w->changing)
		return;
	draft_abandon(w);
	if (w->pool)
		pool_rollback(w->pool);
	w->changing = false;
}
