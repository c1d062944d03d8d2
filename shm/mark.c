/* What a root page reaches: for recovery after a crash, and for copying into a replacement file. */
#include "shm/config_writer.h"

#include <errno.h>

struct marking {
	const struct pool *pool;
	uint8_t *marks;
	uint64_t newest;	/* generation of the root: nothing it reaches can be younger */
};

/* Marks the page a word names.  A page of another generation than its word, one outside the file, or one that is
 * reached twice means that the file is damaged.  *page = NULL when the word names none. */
static int mark(struct marking *m, uint64_t word, const void **page)
{
	uint32_t number = CONFIG_WORD_PAGE(word);
	uint8_t bit = (uint8_t)(1u << number % 8);

	*page = NULL;
	if (number == 0)
		return 0;
	if (number >= m->pool->npages || (m->marks[number / 8] & bit) || CONFIG_WORD_GENERATION(word) > m->newest)
		return EINVAL;
	m->marks[number / 8] |= bit;
	*page = pool_page(m->pool, number);
	/* Every sort of page begins with its generation. */
	return *(const uint64_t *)*page == CONFIG_WORD_GENERATION(word) ? 0 : EINVAL;
}

static int mark_branch(struct marking *m, const uint64_t *words, uint32_t used)
{
	const void *page, *dir;
	int error;

	for (uint32_t d = 0; d < used; d++) {
		if ((error = mark(m, words[d], &dir)) != 0)
			return error;
		for (uint32_t i = 0; dir && i < CONFIG_FANOUT; i++)
			if ((error = mark(m, ((const struct config_dir *)dir)->entry[i], &page)) != 0)
				return error;
	}
	return 0;
}

int mark_reachable(uint8_t *marks, const struct pool *pool, uint32_t root_page)
{
	const struct config_root *root = pool_page(pool, root_page);
	struct marking m = { pool, marks, root->generation };
	const void *page;
	int error = mark(&m, CONFIG_WORD(root->generation, root_page), &page);

	if (error == 0)
		error = mark(&m, root->parameters, &page);
	for (unsigned k = 0; error == 0 && k < SHM_KINDS; k++) {
		if (root->tree[k].dirs > CONFIG_DIRS || root->tree[k].index_dirs > CONFIG_INDEX_DIRS)
			return EINVAL;
		error = mark_branch(&m, root->words[k].dir, root->tree[k].dirs);
		if (error == 0)
			error = mark_branch(&m, root->words[k].index_dir, root->tree[k].index_dirs);
	}
	return error;
}
