/*
 * The lists of upstreams that meta/meta.h keeps: what each promises.
 */
#include "store_lab.h"

#include <string.h>

#include "base/mem.h"
#include "oci/listing.h"

/* ------------------------------------------------------ words of this file */

static void put(struct lab *lab, struct repository at, const char *subject,
		struct span lines)
{
	struct digest digest = digest_of(subject ? subject : "");
	struct err e;

	OK(meta_list_put(lab->meta, &at, subject ? &digest : NULL, lines, &e),
	   e);
}

/* The lines, in the lab's arena; null if there is no such list. */
static const char *lines(struct lab *lab, struct repository at,
			 const struct digest *subject)
{
	auto_with(meta_list_free) struct meta_list list = { 0 };
	struct err e;

	if (meta_list_peek(lab->meta, &at, subject, &list, &e) < 0) {
		assert_int_equal(e.kind, ERR_NOT_FOUND);
		return NULL;
	}
	assert_true(list.checked > 0);
	return arena_text(lab->arena, buf_span(&list.lines));
}

static const char *tags(struct lab *lab, const char *name)
{
	return lines(lab, upstream(name), NULL);
}

static const char *referrers(struct lab *lab, const char *name,
			     const char *subject)
{
	struct digest digest = digest_of(subject);

	return lines(lab, upstream(name), &digest);
}

/* ------------------------------------------------------------------ tests */

static void a_list_is_replaced_as_a_whole(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	assert_null(tags(lab, "app"));
	put(lab, upstream("app"), NULL, SPAN("1\n2\n"));
	assert_string_equal(tags(lab, "app"), "1\n2\n");
	put(lab, upstream("app"), NULL, SPAN("3\n"));
	assert_string_equal(tags(lab, "app"), "3\n");
	put(lab, upstream("app"), NULL, SPAN(""));
	assert_string_equal(tags(lab, "app"), "");
	lab_reopen(lab);
	assert_string_equal(tags(lab, "app"), "");
}

enum { MANY = 20000, LONG = 10 }; /* lines; bytes of each */

/* "tag-00000", "tag-00001"… in the lab's arena. */
static struct span many_lines(struct lab *lab)
{
	auto_buf struct buf lines = { 0 };

	for (int i = 0; i < MANY; i++)
		buf_addf(&lines, "tag-%05d\n", i);
	return arena_copy(lab->arena, buf_span(&lines));
}

static void peek_part(struct lab *lab, const struct digest *subject,
		      struct meta_list *list)
{
	struct repository at = upstream("app");
	struct err e;

	OK(meta_list_peek(lab->meta, &at, subject, list, &e), e);
	assert_int_equal(list->size, MANY * LONG);
}

/* It begins with that line, and has the `place`th, but not all. */
static void assert_part(const struct meta_list *list, int64_t place)
{
	struct span all = buf_span(&list->lines);
	char first[32];

	snprintf(first, sizeof(first), "tag-%05d\n", (int)list->before);
	assert_true(span_starts(all, first));
	assert_in_range(place, list->before,
			list->before + (int64_t)all.len / LONG - 1);
	assert_true(all.len < MANY * LONG);
	assert_int_equal(list->more,
			 list->before * LONG + (int64_t)all.len < MANY * LONG);
}

static void of_a_long_list_a_part_is_read(void **state)
{
	auto_with(meta_list_free) struct meta_list list = { 0 };
	static const int places[] = { 1, 6553, 9999, MANY - 1 };
	struct digest subject = digest_of("image");
	struct lab *lab = *state;

	lab_open(lab);
	struct span all = many_lines(lab);
	put(lab, upstream("app"), NULL, all);
	put(lab, upstream("app"), "image", all);
	for (size_t i = 0; i < array_size(places); i++) {
		list.after =
			arena_printf(lab->arena, "tag-%05d", places[i] - 1);
		peek_part(lab, NULL, &list);
		assert_part(&list, places[i]);
		list.place = places[i];
		peek_part(lab, &subject, &list);
		assert_part(&list, places[i]);
	}
	list.after = "tag-19999";
	peek_part(lab, NULL, &list);
	assert_int_equal(list.lines.len, 0);
	list.after = NULL;
	list.room = SIZE_MAX;
	peek_part(lab, NULL, &list);
	assert_true(span_eq(buf_span(&list.lines), all));
	assert_false(list.more);
}

static void names_at_random_leave_nothing_behind(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	put(lab, upstream("none"), NULL, SPAN(""));
	put(lab, upstream("none"), "image", SPAN(""));
	assert_null(tags(lab, "none"));
	assert_int_equal(lab_number(lab, "SELECT COUNT(*) FROM repository"), 0);
	lab_image(lab, upstream("app"), "1", "one", NULL);
	put(lab, upstream("app"), "image", SPAN(""));
	assert_string_equal(referrers(lab, "app", "image"), "");
}

static void lists_of_other_things_are_other_lists(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	put(lab, upstream("app"), NULL, SPAN("1\n"));
	put(lab, upstream("app"), "image", SPAN("type\t{}\n"));
	assert_string_equal(tags(lab, "app"), "1\n");
	assert_string_equal(referrers(lab, "app", "image"), "type\t{}\n");
	assert_null(referrers(lab, "app", "other"));
	assert_null(referrers(lab, "other", "image"));
	assert_null(tags(lab, "other"));
}

static void drop(struct lab *lab, const char *name, const char *config)
{
	struct repository at = upstream(name);
	struct digest digest = image_of(config, NULL);
	struct err e;

	OK(meta_manifest_drop(lab->meta, &at, &digest, NULL, &e), e);
}

static void list_referrers(struct lab *lab, const char *name,
			   const char *config)
{
	struct repository at = upstream(name);
	struct digest digest = image_of(config, NULL);
	struct err e;

	OK(meta_list_put(lab->meta, &at, &digest, SPAN("\t{}\n"), &e), e);
}

static bool lists_referrers(struct lab *lab, const char *name,
			    const char *config)
{
	struct digest digest = image_of(config, NULL);

	return lines(lab, upstream(name), &digest) != NULL;
}

static void a_list_goes_with_what_it_is_about(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_image(lab, upstream("app"), "1", "one", NULL);
	lab_image(lab, upstream("app"), "2", "two", NULL);
	put(lab, upstream("app"), NULL, SPAN("1\n2\n"));
	put(lab, upstream("other"), NULL, SPAN("1\n"));
	list_referrers(lab, "app", "one");
	list_referrers(lab, "app", "two");

	drop(lab, "app", "one");
	assert_false(lists_referrers(lab, "app", "one"));
	assert_true(lists_referrers(lab, "app", "two"));
	assert_non_null(tags(lab, "app"));
	drop(lab, "app", "two");
	assert_false(lists_referrers(lab, "app", "two"));
	assert_null(tags(lab, "app"));
	assert_non_null(tags(lab, "other"));
}

static void the_oldest_lists_make_room_for_new_ones(void **state)
{
	struct lab *lab = *state;
	enum { LARGE = 16 * 1024 * 1024, LINE = 64 };
	auto_free char *much = mem_alloc(LARGE);
	struct span large = span_make(much, LARGE);

	memset(much, 'a', LARGE);
	for (size_t i = LINE; i <= LARGE; i += LINE)
		much[i - 1] = '\n';
	lab_open(lab);
	put(lab, upstream("first"), NULL, SPAN("1\n"));
	put(lab, upstream("second"), NULL, large);
	put(lab, upstream("third"), NULL, large);
	put(lab, upstream("fourth"), NULL, large);
	assert_non_null(tags(lab, "first"));
	put(lab, upstream("fifth"), NULL, large);
	assert_null(tags(lab, "first"));
	assert_non_null(tags(lab, "second"));
	put(lab, upstream("sixth"), NULL, SPAN("1\n"));
	assert_null(tags(lab, "second"));
	assert_non_null(tags(lab, "third"));
	assert_non_null(tags(lab, "sixth"));
}

static bool go_on(void *arg)
{
	(void)arg;
	return true;
}

static void a_backup_holds_no_lists(void **state)
{
	struct lab *lab = *state;
	auto_of(meta_snapshot) struct meta_snapshot *snapshot = NULL;
	char *path;
	struct err e;

	lab_open(lab);
	lab_image(lab, upstream("app"), "1", "one", NULL);
	put(lab, upstream("app"), NULL, SPAN("1\n"));
	put(lab, upstream("other"), NULL, SPAN("1\n"));
	path = arena_printf(lab->arena, "%s/copy", lab->path);
	OK(meta_snapshot_make(lab->meta, path, go_on, NULL, &snapshot, &e), e);
	assert_non_null(tags(lab, "other"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(a_list_is_replaced_as_a_whole),
		LAB_TEST(of_a_long_list_a_part_is_read),
		LAB_TEST(names_at_random_leave_nothing_behind),
		LAB_TEST(lists_of_other_things_are_other_lists),
		LAB_TEST(a_list_goes_with_what_it_is_about),
		LAB_TEST(the_oldest_lists_make_room_for_new_ones),
		LAB_TEST(a_backup_holds_no_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
