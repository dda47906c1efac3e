/*
 * Promises of base/mem.h, base/buf.h and base/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"

static void memory_comes_zeroed(void **state)
{
	auto_free char *one = mem_alloc(64);
	auto_free int *many = mem_array(16, sizeof(*many));
	auto_free char *none = mem_alloc(0);

	(void)state;
	assert_non_null(none);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(one[i], 0);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(many[i], 0);
}

static void a_copy_of_nothing_is_nothing(void **state)
{
	auto_free char *copy = mem_text("text");

	(void)state;
	assert_string_equal(copy, "text");
	assert_null(mem_text(NULL));
}

static void a_buffer_ends_in_nul_from_its_first_byte(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	assert_true(span_is(buf_span(&buf), ""));
	buf_add(&buf, SPAN_NONE);
	assert_string_equal(buf.at, "");
	buf_add(&buf, SPAN("one"));
	buf_addf(&buf, " %s %d", "two", 3);
	assert_string_equal(buf.at, "one two 3");
	assert_int_equal(buf.len, 9);
}

static void a_buffer_grows_as_needed(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	for (size_t i = 0; i < 100000; i++)
		buf_add(&buf, SPAN("x"));
	assert_int_equal(buf.len, 100000);
	assert_true(buf.room < 4 * buf.len);
	buf_addf(&buf, "%0200d", 7);
	assert_int_equal(buf.at[buf.len - 1], '7');
	assert_int_equal(buf.len, 100200);
}

static void a_cleared_buffer_keeps_its_memory(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	buf_clear(&buf);
	buf_add(&buf, SPAN("much"));
	size_t room = buf.room;
	buf_clear(&buf);
	assert_int_equal(buf.room, room);
	assert_string_equal(buf.at, "");
}

static void a_freed_buffer_may_be_used_again(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	buf_add(&buf, SPAN("a"));
	buf_free(&buf);
	assert_null(buf.at);
	buf_add(&buf, SPAN("b"));
	assert_string_equal(buf.at, "b");
}

static void an_arena_gives_zeroed_aligned_memory(void **state)
{
	auto_of(arena) struct arena *arena = arena_open();

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t size = 0; size < 5000; size += 7) {
			char *at = arena_alloc(arena, size);

			assert_int_equal((uintptr_t)at % alignof(max_align_t),
					 0);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(at[i], 0);
			if (size)
				memset(at, 0xff, size);
		}
		arena_reset(arena);
	}
}

static void what_is_larger_than_a_chunk_fits_too(void **state)
{
	auto_of(arena) struct arena *arena = arena_open();
	size_t size = 5 * 1024 * 1024;
	char *large = arena_alloc(arena, size);
	char *small = arena_alloc(arena, 1);

	(void)state;
	large[0] = large[size - 1] = 'l';
	*small = 's';
	assert_int_equal(large[size - 1], 'l');
}

static void a_reset_arena_reuses_its_small_chunk(void **state)
{
	auto_of(arena) struct arena *arena = arena_open();
	char *first = arena_alloc(arena, 10);

	(void)state;
	arena_alloc(arena, 100000);
	arena_reset(arena);
	assert_ptr_equal(arena_alloc(arena, 10), first);
}

static void texts_are_copied_into_an_arena(void **state)
{
	auto_of(arena) struct arena *arena = arena_open();
	char source[] = "abc";
	struct span copy = arena_copy(arena, span_make(source, 3));
	char *text = arena_text(arena, span_make(source, 2));

	(void)state;
	source[0] = 'X';
	assert_true(span_is(copy, "abc"));
	assert_string_equal(text, "ab");
	assert_string_equal(arena_text(arena, SPAN_NONE), "");
	assert_null(arena_copy(arena, SPAN_NONE).at);
	assert_string_equal(arena_printf(arena, "%s-%d", text, 5), "ab-5");
}

static void closing_is_safe_twice(void **state)
{
	struct arena *arena = arena_open();

	(void)state;
	arena_close(&arena);
	assert_null(arena);
	arena_close(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_zeroed),
		cmocka_unit_test(a_copy_of_nothing_is_nothing),
		cmocka_unit_test(a_buffer_ends_in_nul_from_its_first_byte),
		cmocka_unit_test(a_buffer_grows_as_needed),
		cmocka_unit_test(a_cleared_buffer_keeps_its_memory),
		cmocka_unit_test(a_freed_buffer_may_be_used_again),
		cmocka_unit_test(an_arena_gives_zeroed_aligned_memory),
		cmocka_unit_test(what_is_larger_than_a_chunk_fits_too),
		cmocka_unit_test(a_reset_arena_reuses_its_small_chunk),
		cmocka_unit_test(texts_are_copied_into_an_arena),
		cmocka_unit_test(closing_is_safe_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
