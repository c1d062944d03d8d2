#include "mgmtd/panel_folder.h"

#include "mgmtd/head.h"
#include "mgmtd/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[64];
static struct shm_why why;
static struct panel_folder *folder;

static int make_dir(void **state)
{
	(void)state;
	assert_true(sodium_init() >= 0);
	log_set_level("error");
	snprintf(dir, sizeof dir, "/tmp/panel-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[96];
	(void)state;
	panel_folder_free(folder);
	folder = NULL;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

/* A file of that size, of zeros. */
static void put(const char *path, size_t size)
{
	char full[512];
	snprintf(full, sizeof full, "%s/%s", dir, path);
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static int load(void)
{
	panel_folder_free(folder);
	folder = NULL;
	why.text[0] = '\0';
	return panel_folder_load(&folder, dir, &why);
}

static const char *header(const struct panel_file *file, enum encoding encoding, const char *name)
{
	return MHD_get_response_header(file->variants[encoding].response, name);
}

/* ------------------------------------------------------------------ codings */

static void the_coding_is_the_best_of_those_there_are(void **state)
{
	static const unsigned all = 1u << ENCODING_BR | 1u << ENCODING_GZIP | 1u << ENCODING_IDENTITY, gzip = 1u << ENCODING_GZIP;
	static const struct { const char *accept; unsigned available; enum encoding best; } cases[] = {
		{ NULL, all, ENCODING_IDENTITY }, { "", all, ENCODING_IDENTITY }, { "br", 0, ENCODING_IDENTITY },
		{ "gzip, deflate, br", all, ENCODING_BR }, { "gzip, deflate, br", gzip, ENCODING_GZIP }, { "br", gzip, ENCODING_IDENTITY },
		{ "br;q=0", all, ENCODING_IDENTITY }, { "br;q=0.0,*", all, ENCODING_GZIP }, { "*;q=0", all, ENCODING_IDENTITY },
		{ "br;q=0.001", all, ENCODING_BR }, { "br;q=0.0001", all, ENCODING_IDENTITY }, { "br;q=0.499, gzip;q=0.5", all, ENCODING_GZIP },
		{ "br;q=2", all, ENCODING_IDENTITY }, { "br;q=1.9, gzip;q=1", all, ENCODING_BR }, { "br;q=-1", all, ENCODING_IDENTITY },
		{ "identity, br;q=0.9", all, ENCODING_IDENTITY }, { "identity;q=0, gzip;q=0", all, ENCODING_IDENTITY },
		{ "BR ; Q=0.5 , Gzip\t;\tq=0.6", all, ENCODING_GZIP }, { "x-gzip", all, ENCODING_GZIP }, { "b, r, br2, abr", all, ENCODING_IDENTITY },
		{ ";;;q=1,,;,", all, ENCODING_IDENTITY }, { "br;", all, ENCODING_BR }, { "br;q=", all, ENCODING_IDENTITY }, { "br;q", all, ENCODING_BR },
		{ "deflate;q=1, br , gzip;q=0,", all, ENCODING_BR }, { "br;a=b;q=0,gzip;q=0.1", all, ENCODING_GZIP },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (encoding_choose(cases[i].accept, cases[i].available) != cases[i].best)
			fail_msg("of %s (%u): not %s", cases[i].accept, cases[i].available, encoding_words[cases[i].best]);
}

/* A weight belongs to the member it stands in, not to one further on. */
static void a_weight_stays_in_its_member(void **state)
{
	static const unsigned both = 1u << ENCODING_BR | 1u << ENCODING_GZIP;
	(void)state;
	assert_int_equal(encoding_choose("br,gzip;q=0", both), ENCODING_BR);
	assert_int_equal(encoding_choose("br;,gzip;q=0", both), ENCODING_BR);
	assert_int_equal(encoding_choose("br; ,q=0", both), ENCODING_BR);
}

static void a_tag_is_found_in_a_list_whole_and_in_its_quotes(void **state)
{
	static const struct { const char *sent; bool has; } cases[] = {
		{ NULL, false }, { "", false }, { "*", true }, { "\"abc\"", true }, { "W/\"abc\"", true }, { "\"x\", \"abc\"", true },
		{ "\"abc-br\"", false }, { "\"xabc\"", false }, { "abc", false }, { "\"*\"", false }, { "\"x\",\"y\"", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct head head = { .if_none_match = { cases[i].sent, cases[i].sent != NULL } };
		if (head_has_tag(&head, "\"abc\"") != cases[i].has)
			fail_msg("%s", cases[i].sent);
	}
}

/* ------------------------------------------------------------------ the folder */

static void a_file_has_an_answer_for_each_coding_it_lies_there_in(void **state)
{
	(void)state;
	put("index.html", 10);
	put("index.html.br", 10);
	put("index.html.gz", 3);
	put("a.js", 10);
	assert_int_equal(load(), 0);
	const struct panel_file *page = panel_folder_find(folder, "/"), *script = panel_folder_find(folder, "/a.js");
	assert_non_null(page);
	assert_ptr_equal(page, panel_folder_find(folder, "/index.html"));
	assert_int_equal(page->available, 7);
	assert_int_equal(script->available, 1u << ENCODING_IDENTITY);
	assert_int_equal(page->variants[ENCODING_GZIP].len, 3);
	assert_string_equal(header(page, ENCODING_BR, "Content-Encoding"), "br");
	assert_null(header(page, ENCODING_IDENTITY, "Content-Encoding"));
	assert_string_equal(header(page, ENCODING_GZIP, "ETag"), page->variants[ENCODING_GZIP].tag);
	assert_non_null(header(script, ENCODING_IDENTITY, "Content-Security-Policy"));
	/* The same bytes: the same tag, but not in another coding. */
	assert_string_equal(page->variants[ENCODING_IDENTITY].tag, script->variants[ENCODING_IDENTITY].tag);
	assert_string_not_equal(page->variants[ENCODING_IDENTITY].tag, page->variants[ENCODING_BR].tag);
}

static void what_is_no_panel_file_is_left_out(void **state)
{
	static const char *const names[] = { "a", "a.php", "html", ".html", ".a.js", "a.js.gz", "a.js.br", "a b.js", "a%20.js", "\xc3\xa4.js", "a.js~", "a.JS" };
	(void)state;
	put("index.html", 1);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		put(names[i], 1);
	assert_int_equal(load(), 0);
	assert_int_equal(panel_folder_count(folder), 1);
}

static void the_limits_hold_to_the_byte(void **state)
{
	char name[300];
	(void)state;
	put("index.html", PANEL_FILE_MAX);
	assert_int_equal(load(), 0);
	put("index.html", PANEL_FILE_MAX + 1);
	assert_int_equal(load(), EFBIG);
	assert_non_null(strstr(why.text, "4194305"));
	put("index.html", PANEL_FILE_MAX);
	put("index.html.gz", PANEL_FILE_MAX);
	put("a.js", PANEL_FILE_MAX);
	put("b.js", PANEL_FILE_MAX);
	assert_int_equal(load(), 0);	/* 16 MiB */
	put("c.js", 1);
	assert_int_equal(load(), EFBIG);
	put("a.js", 0);
	assert_int_equal(load(), 0);
	for (unsigned i = 0; i < PANEL_FILES_MAX - 4; i++) {
		snprintf(name, sizeof name, "f%u.css", i);
		put(name, 0);
	}
	assert_int_equal(load(), 0);
	assert_int_equal(panel_folder_count(folder), PANEL_FILES_MAX);
	put("one-more.css", 0);
	assert_int_equal(load(), E2BIG);
	assert_non_null(strstr(why.text, "256"));
}

static void a_path_and_a_depth_have_limits(void **state)
{
	char name[300];
	(void)state;
	put("index.html", 1);
	snprintf(name, sizeof name, "%0*d.js", (int)(PANEL_PATH_MAX - 5), 7);	/* with its slash 127 */
	put(name, 1);
	assert_int_equal(load(), 0);
	snprintf(name, sizeof name, "/%0*d.js", (int)(PANEL_PATH_MAX - 5), 7);
	assert_non_null(panel_folder_find(folder, name));
	snprintf(name, sizeof name, "%0*d.js", (int)(PANEL_PATH_MAX - 4), 7);
	put(name, 1);
	assert_int_equal(load(), ENAMETOOLONG);
	snprintf(name, sizeof name, "rm %s/0*; mkdir -p %s/a/b/c/d && touch %s/a/b/c/d/x.js", dir, dir, dir);
	assert_int_equal(system(name), 0);
	assert_int_equal(load(), 0);
	assert_non_null(panel_folder_find(folder, "/a/b/c/d/x.js"));
	snprintf(name, sizeof name, "mkdir %s/a/b/c/d/e", dir);
	assert_int_equal(system(name), 0);
	assert_int_equal(load(), ELOOP);
}

static void without_an_index_there_is_no_panel(void **state)
{
	(void)state;
	put("a.js", 1);
	assert_int_equal(load(), ENOENT);
	assert_non_null(strstr(why.text, "index.html"));
	assert_null(folder);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_coding_is_the_best_of_those_there_are),
		cmocka_unit_test(a_weight_stays_in_its_member),
		cmocka_unit_test(a_tag_is_found_in_a_list_whole_and_in_its_quotes),
		IN_DIR(a_file_has_an_answer_for_each_coding_it_lies_there_in),
		IN_DIR(what_is_no_panel_file_is_left_out),
		IN_DIR(the_limits_hold_to_the_byte),
		IN_DIR(a_path_and_a_depth_have_limits),
		IN_DIR(without_an_index_there_is_no_panel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
