/*
 * Promises of cluster/srv.h about answers of DNS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cluster/srv.h"

/* Header of an answer without a question; `\x01` answers. */
#define ANSWERS(count) "\0\1\x84\0\0\0\0" count "\0\0\0\0"
/* Owner ".", type, class IN, a TTL; then length and data. */
#define RECORD(type) "\0\0" type "\0\1\0\0\0\x3c"
#define SRV RECORD("\x21")

static void targets_come_best_first(void **state)
{
	struct srv_list list;
	struct err e;

	(void)state;
	assert_int_equal(srv_parse(SPAN(ANSWERS("\3")
					/* priority 2, weight 9, port 5000 */
					SRV
					"\0\x0d\0\2\0\x09\x13\x88\1b\3Lan\0" SRV
					"\0\x0d\0\1\0\1\x13\x88\1a\3lan\0" SRV
					"\0\x0d\0\1\0\5\x01\xbb\1c\3lan\0"),
				   &list, &e),
			 0);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.targets[0].host, "c.lan");
	assert_int_equal(list.targets[0].port, 443);
	assert_int_equal(list.targets[0].priority, 1);
	assert_int_equal(list.targets[0].weight, 5);
	assert_string_equal(list.targets[1].host, "a.lan");
	assert_string_equal(list.targets[2].host, "b.lan");
	assert_int_equal(list.targets[2].port, 5000);
}

static void what_is_no_target_is_left_out(void **state)
{
	struct srv_list list;
	struct err e;

	(void)state;
	assert_int_equal(
		srv_parse(
			SPAN(ANSWERS("\7")
			     /* "." is: there is none */
			     SRV "\0\7\0\1\0\1\x13\x88\0"
			     /* no port */
			     SRV "\0\x0d\0\1\0\1\0\0\1a\3lan\0"
			     /* a blank, a slash, a hyphen in front */
			     SRV "\0\x0d\0\1\0\1\x13\x88\1 \3lan\0" SRV
				 "\0\x0d\0\1\0\1\x13\x88\1/\3lan\0" SRV
				 "\0\x0e\0\1\0\1\x13\x88\2-a\3lan\0"
			     /* too short, and an address */
			     SRV "\0\4\0\1\0\1" RECORD("\1") "\0\4\x7f\0\0\1"),
			&list, &e),
		0);
	assert_int_equal(list.count, 0);
}

static void what_is_cut_off_is_no_answer(void **state)
{
	static const char whole[] = ANSWERS("\1") SRV
		"\0\x0d\0\1\0\1\x13\x88\1a\3lan\0";
	struct srv_list list;
	struct err e;

	(void)state;
	assert_int_equal(
		srv_parse(span_make(whole, sizeof(whole) - 1), &list, &e), 0);
	assert_int_equal(list.count, 1);
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		assert_int_equal(srv_parse(span_make(whole, len), &list, &e),
				 -1);
}

static void no_more_are_taken_than_there_is_room_for(void **state)
{
	auto_buf struct buf answer = { 0 };
	struct srv_list list;
	struct err e;

	(void)state;
	buf_add(&answer, SPAN(ANSWERS("\x28")));
	for (int i = 0; i < 40; i++)
		buf_add(&answer, SPAN(SRV "\0\x0d\0\1\0\1\x13\x88\1a\3lan\0"));
	assert_int_equal(srv_parse(buf_span(&answer), &list, &e), 0);
	assert_int_equal(list.count, SRV_TARGETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_come_best_first),
		cmocka_unit_test(what_is_no_target_is_left_out),
		cmocka_unit_test(what_is_cut_off_is_no_answer),
		cmocka_unit_test(no_more_are_taken_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
