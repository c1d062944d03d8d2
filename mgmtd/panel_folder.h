/*
 * The files of the web panel as one folder held them: read once, each kept as answers that need only be sent, one for each content
 * coding it lies there in (app.js, app.js.br, app.js.gz).
 */
#ifndef MGMTD_PANEL_FOLDER_H
#define MGMTD_PANEL_FOLDER_H

#include "mgmtd/encoding.h"
#include "shm/shm.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#define PANEL_FILES_MAX 256u
#define PANEL_FILE_MAX ((size_t)4 << 20)	/* bytes of one */
#define PANEL_BYTES_MAX ((size_t)16 << 20)	/* of all, in every coding */
#define PANEL_DEPTH_MAX 4u			/* folders in folders */
#define PANEL_PATH_MAX 128u			/* "/vendor/uplot.js", with its NUL */
#define PANEL_TAG_MAX 48u

struct panel_variant {
	struct MHD_Response *response;	/* NULL: the file is not there in this coding */
	const char *bytes;		/* the response's */
	size_t len;
	char tag[PANEL_TAG_MAX];	/* its entity tag, in quotes */
};

struct panel_file {
	char path[PANEL_PATH_MAX];	/* in the URL */
	const char *type;
	struct panel_variant variants[ENCODING_COUNT];
	unsigned available;		/* 1u << encoding of those there are; identity always is */
};

struct panel_folder;

/* EINVAL and others with why: DIR cannot be read, has no index.html, or more than the limits above.  What is no panel file (a hidden
 * one, one of an unknown type, a link that leads out of DIR, no regular file) is left out. */
int panel_folder_load(struct panel_folder **folder, const char *dir, struct shm_why *why);
void panel_folder_free(struct panel_folder *folder);

/* NULL: there is none.  "/" is "/index.html"; nothing in a path is decoded, as no name of ours needs it. */
const struct panel_file *panel_folder_find(const struct panel_folder *folder, const char *path);
size_t panel_folder_count(const struct panel_folder *folder);

/* The same answer as the file's own, but the caller's: headers may be added.  NULL: no memory. */
struct MHD_Response *panel_file_response(const struct panel_file *file, enum encoding encoding);

/* What a browser must keep to with whatever comes from the panel's paths. */
void panel_guard(struct MHD_Response *response);

#endif
