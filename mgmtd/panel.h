/*
 * The web panel: a folder of files, served at "/" to whoever asks; what it shows comes through the API, with a log-in.
 * Its paths are tried after those of the API.
 */
#ifndef MGMTD_PANEL_H
#define MGMTD_PANEL_H

#include "mgmtd/request.h"
#include "shm/shm.h"

struct panel;

/* dir: as --www gave it; NULL = `www` beside the executable, if it is there and holds a panel; "" = none.  *panel NULL: there is
 * none to serve.  Errors with why, but only of a folder that was given. */
int panel_open(struct panel **panel, const char *dir, struct shm_why *why);
void panel_close(struct panel *panel);	/* once no request can come */

/* Any one thread: reads the folder anew; what was there stays until the event thread looks next, and for ever when the folder is
 * faulty, which why explains.  panel NULL: nothing. */
int panel_reload(struct panel *panel, struct shm_why *why);

/* --- the event thread's */
bool panel_has(struct panel *panel, const char *path);	/* panel may be NULL */
void panel_get(struct request *r);

#endif
