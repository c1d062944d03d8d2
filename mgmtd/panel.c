#include "mgmtd/panel.h"

#include "mgmtd/answer.h"
#include "mgmtd/log.h"
#include "mgmtd/panel_folder.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_NAME "www"

struct panel {
	char dir[PATH_MAX];
	struct panel_folder *folder;		/* the event thread's */
	_Atomic(struct panel_folder *) next;	/* read meanwhile, until the event thread takes it; NULL = nothing new */
};

/* ------------------------------------------------------------------ life */

void panel_close(struct panel *panel)
{
	if (!panel)
		return;
	panel_folder_free(panel->folder);
	panel_folder_free(atomic_load(&panel->next));
	free(panel);
}

/* "" when that cannot be told. */
static void default_dir(char dir[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	dir[len > 0 ? len : 0] = '\0';
	char *slash = strrchr(dir, '/');
	if (!slash || (size_t)(slash + 1 - dir) + sizeof DEFAULT_NAME > PATH_MAX)
		dir[0] = '\0';
	else
		memcpy(slash + 1, DEFAULT_NAME, sizeof DEFAULT_NAME);
}

static int choose_dir(char to[PATH_MAX], const char *given, struct shm_why *why)
{
	if (!given)
		default_dir(to);
	else if ((size_t)snprintf(to, PATH_MAX, "%s", given) >= PATH_MAX) {
		snprintf(why->text, sizeof why->text, "--www: the path is too long");
		return ENAMETOOLONG;
	}
	return 0;
}

/* A folder that nobody named stops no start: there may be any `www` beside an executable. */
static int load_first(struct panel *panel, bool given, struct shm_why *why)
{
	struct shm_why fault = { "" };
	if (!given && access(panel->dir, F_OK) != 0)
		return 0;
	int e = panel_folder_load(&panel->folder, panel->dir, &fault);
	if (e && given) {
		snprintf(why->text, sizeof why->text, "--www: %.300s", fault.text);
		return e;
	}
	if (e)
		log_warnx("panel: there is none: %s", fault.text);
	else
		log_info("panel: %zu files of %s", panel_folder_count(panel->folder), panel->dir);
	return 0;
}

int panel_open(struct panel **out, const char *dir, struct shm_why *why)
{
	struct panel *panel = calloc(1, sizeof *panel);
	int e = panel ? choose_dir(panel->dir, dir, why) : ENOMEM;
	if (!e && panel->dir[0])
		e = load_first(panel, dir != NULL, why);
	if (e || !panel->folder) {
		panel_close(panel);
		return e;
	}
	*out = panel;
	return 0;
}

int panel_reload(struct panel *panel, struct shm_why *why)
{
	struct panel_folder *folder;
	if (!panel)
		return 0;
	int e = panel_folder_load(&folder, panel->dir, why);
	if (e)
		return e;
	log_info("panel: %zu files of %s", panel_folder_count(folder), panel->dir);
	/* release: pairs with the acquire of current_folder().  What comes back nobody has seen. */
	panel_folder_free(atomic_exchange_explicit(&panel->next, folder, memory_order_acq_rel));
	return 0;
}

/* ------------------------------------------------------------------ requests */

/* Answers that are still being sent hold on to theirs: the library counts who does. */
static const struct panel_folder *current_folder(struct panel *panel)
{
	if (atomic_load_explicit(&panel->next, memory_order_relaxed)) {
		panel_folder_free(panel->folder);
		panel->folder = atomic_exchange_explicit(&panel->next, NULL, memory_order_acquire);
	}
	return panel->folder;
}

bool panel_has(struct panel *panel, const char *path)
{
	return panel && panel_folder_find(current_folder(panel), path);
}

void panel_get(struct request *r)
{
	/* It was there when the head came; with SIGHUP in between it may have gone. */
	const struct panel_file *file = panel_folder_find(current_folder(r->daemon->panel), r->path);
	if (!file) {
		answer_problem(r, 404, NULL, NULL, "no such path");
		return;
	}
	enum encoding encoding = encoding_choose(r->head.accept_encoding.value, file->available);
	const struct panel_variant *v = &file->variants[encoding];
	unsigned status = head_has_tag(&r->head, v->tag) ? 304 : 200;
	answer_lent(r, status, v->response, v->len);
	if (r->id[0]) {	/* an answer that names its request is no other's */
		answer_lent(r, status, panel_file_response(file, encoding), v->len);
		r->lent = false;
	}
}
