/*
 * A record of the CDR spool, little-endian:
 *
 *    0  magic     8 bytes.  The NUL in their midst is found in no text, so whatever a caller puts into a header, no stretch of
 *                 a record's own texts can pass for a record
 *    8  length    of all, at most CDR_BYTES_MAX
 *   12  check     CRC-32C of all but itself
 *   16  sequence  number of the record in its file, from 0; a write that failed leaves a gap
 *   24  id
 *   32  fields    tag: 32 bits, size: 16 bits, value; one that is 0 or "" is left out.  A text ends with its NUL
 *
 * A tag is the FNV-1a of the field's name: fields may be added to or removed from cdr.def, and a spool written by another
 * version is still read; fields it does not know are passed over.
 *
 * What the check is for: a record torn by kill -9 or a full disk, and pages that a power failure left zeroed.  CRC-32C finds
 * every damage of one run of up to 32 bits and any 3 bits in a record of this length; of other damage it misses one in
 * 4 billion, and the magic, the length and each field's own checks must hold as well.  It is no signature: whoever may write
 * in the directory may write CDRs.
 */
#ifndef SHM_CDR_FORMAT_H
#define SHM_CDR_FORMAT_H

#include "shm/cdr.h"

#define CDR_HEADER 32
#define CDR_MAGIC "CDR\0REC\1"
#define CDR_MAGIC_LEN 8

/* Writes the record into `bytes` (CDR_BYTES_MAX) and returns its length. */
size_t cdr_encode(uint8_t *bytes, const struct cdr *cdr, uint64_t sequence);

/* What lies at `bytes`, of which `size` can be read.
 * 0: a whole record of *length bytes.  EAGAIN: it may be the beginning of one.  EBADMSG: it is none. */
int cdr_check(size_t *length, const uint8_t *bytes, size_t size);

/* The fields of a record that cdr_check() found whole; the texts point into it.  EBADMSG: they are malformed. */
int cdr_decode(struct cdr *cdr, uint64_t *sequence, const uint8_t *bytes, size_t length);

uint32_t cdr_tag(const char *name);
uint32_t cdr_crc(uint32_t crc, const uint8_t *bytes, size_t size);

#endif
