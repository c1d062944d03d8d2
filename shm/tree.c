/* Copy-on-write of the trees root → directory page → leaf or bucket. */
#include "shm/config_writer.h"

#include <errno.h>
#include <string.h>

/* The root's words of the branch, their number, and the most there can be. */
static uint64_t *branch_words(struct config_root *root, unsigned k, enum tree_branch branch, uint32_t **used,
                              uint32_t *most)
{
	if (branch == BRANCH_LEAVES) {
		*used = &root->tree[k].dirs;
		*most = CONFIG_DIRS;
		return root->words[k].dir;
	}
	*used = &root->tree[k].index_dirs;
	*most = CONFIG_INDEX_DIRS;
	return root->words[k].index_dir;
}

/* Makes the directory page ours. */
static int edit_dir(struct config_writer *w, unsigned k, enum tree_branch branch, uint32_t d, struct config_dir **dir)
{
	uint32_t *used, most, page, old;
	uint64_t *words = branch_words(writer_root(w), k, branch, &used, &most);
	int error;

	if (d >= most)
		return ERANGE;
	old = d < *used ? CONFIG_WORD_PAGE(words[d]) : 0;
	if (old && CONFIG_WORD_GENERATION(words[d]) == w->next) {
		*dir = writer_page(w, old);
		return 0;
	}
	if ((error = writer_take(w, &page)) != 0)
		return error;
	words = branch_words(writer_root(w), k, branch, &used, &most);
	while (*used <= d)
		words[(*used)++] = 0;
	words[d] = CONFIG_WORD(w->next, page);
	*dir = writer_page(w, page);
	if (old) {
		memcpy(*dir, writer_page(w, old), sizeof **dir);
		writer_replace(w, old);
	} else {
		memset(*dir, 0, sizeof **dir);
	}
	(*dir)->generation = w->next;
	return 0;
}

int tree_edit(struct config_writer *w, enum kind_id kind, enum tree_branch branch, uint32_t i, uint32_t *page,
              uint32_t *old)
{
	unsigned k = kind - 1;
	struct config_dir *dir;
	uint32_t d = i / CONFIG_FANOUT, *used, most;
	uint64_t word;
	int error = edit_dir(w, k, branch, d, &dir);

	if (error)
		return error;
	word = dir->entry[i % CONFIG_FANOUT];
	*old = CONFIG_WORD_PAGE(word);
	if (*old && (CONFIG_WORD_GENERATION(word) == w->next || (FAULT(LEAF_IN_PLACE) && branch == BRANCH_LEAVES))) {
		dir->entry[i % CONFIG_FANOUT] = CONFIG_WORD(w->next, *old);
		*page = *old;
		return 0;
	}
	if ((error = writer_take(w, page)) != 0)
		return error;
	dir = writer_page(w, CONFIG_WORD_PAGE(branch_words(writer_root(w), k, branch, &used, &most)[d]));
	dir->entry[i % CONFIG_FANOUT] = CONFIG_WORD(w->next, *page);
	if (*old)
		writer_replace(w, *old);
	*(uint64_t *)writer_page(w, *page) = w->next;
	return 0;
}

void tree_drop(struct config_writer *w, enum kind_id kind, uint32_t i)
{
	uint64_t *words = writer_root(w)->words[kind - 1].dir;
	struct config_dir *dir = writer_page(w, CONFIG_WORD_PAGE(words[i / CONFIG_FANOUT]));
	uint64_t *entry = &dir->entry[i % CONFIG_FANOUT];

	writer_replace(w, CONFIG_WORD_PAGE(*entry));
	*entry = CONFIG_WORD(w->next, 0);
}
