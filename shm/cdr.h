/*
 * The CDR spool: append-only files in a directory that switchcore writes and mgmtd takes into its database, each record
 * exactly once.
 *
 *   DIR/0006449a1c0de001-4711-9f3c52d07be81a64.cdr     when it was begun (µs, hex), pid, random
 *
 * Names rise with age even if the clock goes back: a new file's time is above that of every file there, and the file that
 * reading has come to is not removed before there is a newer one.  A file has one writer, which begins it, holds an OFD lock on
 * it while it may append, and goes to a new one at CDR_FILE_BYTES.  A flock(2) on the directory keeps a second writer out.
 *
 * A record is one write(2), so kill -9 of the writer loses at most the one at hand, and a torn one is detected (cdr_format.h).
 * There is no fsync(2) a record: it would hold up every call for milliseconds.  So a power failure or a crash of the kernel
 * loses what it had not written to the disk, half a minute at worst by Linux' defaults; on tmpfs, everything not yet taken.
 */
#ifndef SHM_CDR_H
#define SHM_CDR_H

#include "shm/shm.h"

#include <stddef.h>
#include <stdint.h>

/* billing_callee is to_out, pdd_ms and duration_ms follow from the times: told, not stored here. */
struct cdr {
	uint64_t id;		/* of the call; with ended_at never used twice, by no later process either: a second such record is
				 * left out.  In the API 16 hex digits.  Best rising with time: its index then grows at its end */
#define CDR_TIME(name) uint64_t name;
#define CDR_NUMBER(name) uint32_t name;
#define CDR_TEXT(name) const char *name;
#define CDR_LIST(name, member) const char *name;
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
};

#define CDR_BYTES_MAX 16384	/* of one record; longer lists are cut at a line's end */
#define CDR_TEXT_MAX 512	/* bytes of a text; longer ones are cut, at a character of UTF-8 */
#define CDR_FILE_BYTES (4u << 20)
#define CDR_SUBDIR "cdr"	/* of the run directory: the spool when no other is named */

/* ------------------------------------------------------------------ writer: the one loop of switchcore */

struct cdr_writer;

/* Begins a file of its own in `dir` (made with mode 0700 when it is missing).  EBUSY: another process writes there. */
int cdr_writer_open(struct cdr_writer **w, const char *dir, struct shm_why *why);
void cdr_writer_close(struct cdr_writer *w);
/* The spool may hold so many bytes, 0 = as many as the disk; CDR_SPOOL_LEAST at least, since files go as a whole. */
#define CDR_SPOOL_LEAST (4 * (uint64_t)CDR_FILE_BYTES)
void cdr_writer_limit(struct cdr_writer *w, uint64_t bytes);
/* Appends; NULL texts count as "".  Errors: ENOBUFS the spool holds what it may: the oldest stay.  ENOSPC and others of write(2): that record is lost, the next one may not be;
 * what was written of it is cut off again, or detected as torn.  A file that was deleted by hand is begun anew. */
int cdr_write(struct cdr_writer *w, const struct cdr *cdr);

/* ------------------------------------------------------------------ reader: mgmtd */

struct cdr_reader;

/* Where reading stands: stored in the same transaction as the records taken up to there. */
#define CDR_NAME_MAX 63
struct cdr_place { char file[CDR_NAME_MAX + 1]; uint64_t offset; };

/* What did not come through: bytes of no whole record, and records whose number is missing. */
struct cdr_loss { uint64_t bytes, records; };

int cdr_reader_open(struct cdr_reader **r, const char *dir, struct shm_why *why);	/* ENOENT: no spool yet */
void cdr_reader_close(struct cdr_reader *r);
/* The next whole record behind *place ("" or a file that is gone = the oldest file), whose texts are valid until the next call.
 * 0: *place moved behind it.  EAGAIN: none now.  EBADMSG: something was lost: *loss says what, *place moved, call again.
 * ENOENT: the directory is gone: open another reader.  Others: of read(2). */
int cdr_next(struct cdr_reader *r, struct cdr_place *place, struct cdr *cdr, struct cdr_loss *loss);
/* What lies behind the place: files with something in them, and bytes.  Errors: of the directory. */
int cdr_reader_backlog(struct cdr_reader *r, const struct cdr_place *place, uint64_t *files, uint64_t *bytes);
/* Removes files that lie whole before the place, if its file is there, and that no writer appends to any more. */
void cdr_reader_drop(struct cdr_reader *r, const struct cdr_place *place);

#endif
