#include "mgmtd/panel_folder.h"

#include "mgmtd/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAG_BYTES 16u

static const struct { const char *suffix, *type; } types[] = {
	{ ".html",        "text/html; charset=utf-8" },
	{ ".css",         "text/css; charset=utf-8" },
	{ ".js",          "text/javascript; charset=utf-8" },
	{ ".txt",         "text/plain; charset=utf-8" },
	{ ".svg",         "image/svg+xml" },
	{ ".png",         "image/png" },
	{ ".ico",         "image/x-icon" },
	{ ".json",        "application/json" },
	{ ".webmanifest", "application/manifest+json" },
	{ ".woff2",       "font/woff2" },
};

struct panel_folder {
	struct panel_file *files;	/* by path, once loaded */
	size_t count, bytes;
};

struct loading {
	struct panel_folder *folder;
	const char *dir;		/* as it was given */
	char root[PATH_MAX];		/* where that is, with "/" at its end */
	struct shm_why *why;
};

/* ------------------------------------------------------------------ an answer */

void panel_guard(struct MHD_Response *response)
{
	static const struct { const char *name, *value; } headers[] = {
		{ "Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
		                             "font-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "no-referrer" },
		{ "X-Frame-Options", "DENY" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
	};
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		MHD_add_response_header(response, headers[i].name, headers[i].value);
}

/* A browser asks each time whether its copy is still good (no-cache): an update is there at the next look. */
static void describe(struct MHD_Response *response, const struct panel_file *file, enum encoding encoding)
{
	MHD_add_response_header(response, "Content-Type", file->type);
	if (encoding != ENCODING_IDENTITY)
		MHD_add_response_header(response, "Content-Encoding", encoding_words[encoding]);
	MHD_add_response_header(response, "Vary", "Accept-Encoding");
	MHD_add_response_header(response, "Cache-Control", "no-cache");
	MHD_add_response_header(response, "ETag", file->variants[encoding].tag);
	panel_guard(response);
}

struct MHD_Response *panel_file_response(const struct panel_file *file, enum encoding encoding)
{
	const struct panel_variant *v = &file->variants[encoding];
	struct MHD_Response *response = MHD_create_response_from_buffer(v->len, (void *)(uintptr_t)v->bytes, MHD_RESPMEM_MUST_COPY);
	if (response)
		describe(response, file, encoding);
	return response;
}

/* Strong, and of the coding, too: the same bytes in another coding are another answer. */
static void make_tag(char tag[PANEL_TAG_MAX], const char *bytes, size_t len, enum encoding encoding)
{
	unsigned char hash[TAG_BYTES];
	char hex[2 * TAG_BYTES + 1];
	crypto_generichash(hash, sizeof hash, (const unsigned char *)bytes, len, NULL, 0);
	sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
	snprintf(tag, PANEL_TAG_MAX, encoding == ENCODING_IDENTITY ? "\"%s\"" : "\"%s-%s\"", hex, encoding_words[encoding]);
}

/* ------------------------------------------------------------------ reading */

void panel_folder_free(struct panel_folder *folder)
{
	for (size_t i = 0; folder && i < folder->count; i++)
		for (size_t e = 0; e < ENCODING_COUNT; e++)
			if (folder->files[i].variants[e].response)
				MHD_destroy_response(folder->files[i].variants[e].response);
	if (folder)
		free(folder->files);
	free(folder);
}

static int fail(struct loading *l, int error, const char *path, const char *text)
{
	snprintf(l->why->text, sizeof l->why->text, "%.120s%.100s: %.80s", l->dir, path, text);
	return error;
}

static int leave_out(const struct loading *l, const char *path, const char *because)
{
	log_warnx("panel: %s%s is left out: %s", l->dir, path, because);
	return ENOENT;
}

/* Opens what is at a path below the folder, wherever links lead, as long as that is in the folder. */
static int open_inside(int *fd, size_t *size, struct loading *l, const char *path)
{
	char name[PATH_MAX], real[PATH_MAX];
	struct stat st;
	if ((size_t)snprintf(name, sizeof name, "%s%s", l->root, path + 1) >= sizeof name)
		return fail(l, ENAMETOOLONG, path, strerror(ENAMETOOLONG));
	if (!realpath(name, real))
		return errno == ENOENT ? ENOENT : fail(l, errno, path, strerror(errno));
	if (strncmp(real, l->root, strlen(l->root)) != 0)
		return leave_out(l, path, "it leads out of the folder");
	int file = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);	/* a FIFO must not hold us up */
	if (file < 0)
		return fail(l, errno, path, strerror(errno));
	if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(file);
		return leave_out(l, path, "it is no regular file");
	}
	*fd = file;
	*size = (size_t)st.st_size;
	return 0;
}

static int check_size(struct loading *l, const char *path, size_t size)
{
	char text[80];
	if (size > PANEL_FILE_MAX) {
		snprintf(text, sizeof text, "a file must not exceed %zu bytes; got %zu", PANEL_FILE_MAX, size);
		return fail(l, EFBIG, path, text);
	}
	if (l->folder->bytes + size > PANEL_BYTES_MAX) {
		snprintf(text, sizeof text, "with it the files exceed %zu bytes", PANEL_BYTES_MAX);
		return fail(l, EFBIG, path, text);
	}
	return 0;
}

static int read_bytes(char **bytes, struct loading *l, const char *path, int fd, size_t size)
{
	char *new = malloc(size + 1);
	size_t len = 0;
	ssize_t n = 1;
	if (!new)
		return fail(l, ENOMEM, path, strerror(ENOMEM));
	while (len < size && (n = read(fd, new + len, size - len)) > 0)
		len += (size_t)n;
	if (n < 0 || len < size) {
		int e = n < 0 ? errno : EAGAIN;
		free(new);
		return fail(l, e, path, n < 0 ? strerror(e) : "it became shorter while it was read");
	}
	*bytes = new;
	return 0;
}

/* ENOENT: it is not there in this coding, or is left out. */
static int load_variant(struct panel_file *file, enum encoding encoding, struct loading *l)
{
	struct panel_variant *v = &file->variants[encoding];
	char path[PANEL_PATH_MAX + 4], *bytes = NULL;
	size_t size = 0;
	int fd = -1;
	snprintf(path, sizeof path, "%s%s", file->path, encoding_suffixes[encoding]);
	int e = open_inside(&fd, &size, l, path);
	if (e)
		return e;
	e = check_size(l, path, size);
	if (!e)
		e = read_bytes(&bytes, l, path, fd, size);
	close(fd);
	if (e)
		return e;
	make_tag(v->tag, bytes, size, encoding);
	v->response = MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_MUST_FREE);
	if (!v->response) {
		free(bytes);
		return fail(l, ENOMEM, path, strerror(ENOMEM));
	}
	v->bytes = bytes;
	v->len = size;
	describe(v->response, file, encoding);
	file->available |= 1u << encoding;
	l->folder->bytes += size;
	return 0;
}

static int load_file(struct loading *l, const char *path, const char *type)
{
	struct panel_folder *folder = l->folder;
	char text[80];
	if (folder->count == PANEL_FILES_MAX) {
		snprintf(text, sizeof text, "a folder must not have more than %u files", PANEL_FILES_MAX);
		return fail(l, E2BIG, path, text);
	}
	struct panel_file *file = &folder->files[folder->count++];
	snprintf(file->path, sizeof file->path, "%s", path);
	file->type = type;
	int e = load_variant(file, ENCODING_IDENTITY, l);
	if (e == ENOENT)
		folder->count--;
	for (enum encoding c = 0; !e && c < ENCODING_IDENTITY; c++)
		if ((e = load_variant(file, c, l)) == ENOENT)
			e = 0;
	return e == ENOENT ? 0 : e;
}

/* ------------------------------------------------------------------ the folder */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static const char *type_of(const char *name)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (ends_with(name, types[i].suffix))
			return types[i].type;
	return NULL;
}

/* No character that a URL would escape: a path is compared as it comes. */
static bool is_plain(const char *name)
{
	static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	return name[strspn(name, legal)] == '\0';
}

static int load_below(struct loading *l, const char *path, unsigned depth);

static int load_entry(struct loading *l, const char *below, const struct dirent *entry, unsigned depth)
{
	const char *name = entry->d_name, *type = type_of(name);
	char path[PANEL_PATH_MAX], full[PATH_MAX];
	struct stat st;
	if (name[0] == '.' || ends_with(name, ".br") || ends_with(name, ".gz"))
		return 0;	/* hidden; or a coding, which comes with its file */
	if ((size_t)snprintf(path, sizeof path, "%s/%s", below, name) >= sizeof path)
		return fail(l, ENAMETOOLONG, below, "the path of a file in it is longer than 127 bytes");
	if (!is_plain(name)) {
		leave_out(l, path, "a name is made of A-Z a-z 0-9 . _ -");
		return 0;
	}
	if ((size_t)snprintf(full, sizeof full, "%s%s", l->root, path + 1) >= sizeof full)
		return fail(l, ENAMETOOLONG, path, strerror(ENAMETOOLONG));
	if (lstat(full, &st) != 0)
		return errno == ENOENT ? 0 : fail(l, errno, path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return load_below(l, path, depth + 1);
	if (type)
		return load_file(l, path, type);
	leave_out(l, path, "it has no known type");
	return 0;
}

static int load_below(struct loading *l, const char *path, unsigned depth)
{
	char full[PATH_MAX];
	int e = 0;
	if (depth > PANEL_DEPTH_MAX)
		return fail(l, ELOOP, path, "folders lie too deep in each other; the most is 4");
	if ((size_t)snprintf(full, sizeof full, "%s%s", l->root, *path ? path + 1 : "") >= sizeof full)
		return fail(l, ENAMETOOLONG, path, strerror(ENAMETOOLONG));
	DIR *d = opendir(full);
	if (!d)
		return fail(l, errno, path, strerror(errno));
	for (struct dirent *entry; !e && (entry = readdir(d));)
		e = load_entry(l, path, entry, depth);
	closedir(d);
	return e;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct panel_file *)a)->path, ((const struct panel_file *)b)->path);
}

int panel_folder_load(struct panel_folder **out, const char *dir, struct shm_why *why)
{
	struct loading l = { .dir = dir, .why = why };
	struct panel_folder *folder = l.folder = calloc(1, sizeof *folder);
	int e = 0;
	if (!folder || !(folder->files = calloc(PANEL_FILES_MAX, sizeof *folder->files)))
		e = fail(&l, ENOMEM, "", strerror(ENOMEM));
	else if (!realpath(dir, l.root))
		e = fail(&l, errno, "", strerror(errno));
	else if (strlen(l.root) + 2 > sizeof l.root)
		e = fail(&l, ENAMETOOLONG, "", strerror(ENAMETOOLONG));
	if (!e) {
		size_t len = strlen(l.root);
		memcpy(l.root + len, "/", l.root[len - 1] == '/' ? 0 : 2);
		e = load_below(&l, "", 0);
	}
	if (!e) {
		qsort(folder->files, folder->count, sizeof *folder->files, compare);
		if (!panel_folder_find(folder, "/"))
			e = fail(&l, ENOENT, "", "there is no index.html in it");
	}
	if (e) {
		panel_folder_free(folder);
		return e;
	}
	*out = folder;
	return 0;
}

static int compare_path(const void *path, const void *file)
{
	return strcmp(path, ((const struct panel_file *)file)->path);
}

const struct panel_file *panel_folder_find(const struct panel_folder *folder, const char *path)
{
	if (strcmp(path, "/") == 0)
		path = "/index.html";
	return bsearch(path, folder->files, folder->count, sizeof *folder->files, compare_path);
}

size_t panel_folder_count(const struct panel_folder *folder)
{
	return folder->count;
}
