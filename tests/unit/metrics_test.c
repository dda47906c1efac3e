/*
 * Promises of base/metrics.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/metrics.h"
#include "base/thread.h"

static void add_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++) {
		metric_add(METRIC_PASSED, 1);
		metric_add(METRIC_CONNECTIONS, i % 2 ? -1 : 1);
	}
}

static void no_addition_of_any_thread_is_lost(void **state)
{
	struct thread threads[40];

	(void)state;
	for (size_t i = 0; i < array_size(threads); i++)
		thread_start(&threads[i], "adder", add_many, NULL);
	for (size_t i = 0; i < array_size(threads); i++)
		thread_join(&threads[i]);
	assert_int_equal(metric_read(METRIC_PASSED), 400000);
	assert_int_equal(metric_read(METRIC_CONNECTIONS), 0);
}

static void what_one_thread_adds_another_takes_away(void **state)
{
	(void)state;
	metric_add(METRIC_CONNECTIONS, 5);
	metric_add(METRIC_CONNECTIONS, -2);
	assert_int_equal(metric_read(METRIC_CONNECTIONS), 3);
}

static size_t count(const char *text, const char *part)
{
	size_t found = 0;

	while ((text = strstr(text, part))) {
		found++;
		text++;
	}
	return found;
}

static void each_name_has_one_help_and_one_type(void **state)
{
	auto_buf struct buf text = { 0 };

	(void)state;
	metric_add(METRIC_REQUESTS_4XX, 12);
	metrics_print(&text);
	assert_int_equal(count(text.at, "# TYPE private_registry_requests_total"
					" counter\n"),
			 1);
	assert_int_equal(count(text.at, "# HELP private_registry_requests_total"
					" Requests answered"),
			 1);
	assert_int_equal(count(text.at, "# TYPE private_registry_connections "
					"gauge\n"),
			 1);
	assert_int_equal(count(text.at, "\nprivate_registry_requests_total"
					"{status=\"4xx\"} 12\n"),
			 1);
	assert_int_equal(count(text.at, "# HELP"), count(text.at, "# TYPE"));
}

static void every_row_is_printed(void **state)
{
	auto_buf struct buf text = { 0 };

	(void)state;
	metrics_print(&text);
	assert_int_equal(count(text.at, "\nprivate_registry_"), METRIC_COUNT);
}

static void each_upstream_has_rows_of_its_own(void **state)
{
	struct metric_owner *hub = metric_owner("docker.io");
	struct metric_owner *other = metric_owner("ghcr.io");
	auto_buf struct buf text = { 0 };

	(void)state;
	assert_ptr_equal(metric_owner("docker.io"), hub);
	metric_add_for(hub, EACH_REQUESTS, 2);
	metric_add_for(hub, EACH_REQUESTS, 3);
	metric_add_for(other, EACH_REQUESTS, 7);
	metric_put_for(hub, EACH_BUDGET, 200);
	metric_put_for(hub, EACH_BUDGET, 100);
	assert_int_equal(metric_read_for(hub, EACH_REQUESTS), 5);
	metrics_print(&text);
	assert_int_equal(count(text.at, "# TYPE private_registry_upstream_"
					"requests_total counter\n"
					"private_registry_upstream_requests_"
					"total{upstream=\"docker.io\"} 5\n"
					"private_registry_upstream_requests_"
					"total{upstream=\"ghcr.io\"} 7\n"),
			 1);
	assert_int_equal(count(text.at, "private_registry_upstream_budget"
					"{upstream=\"docker.io\"} 100\n"),
			 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_addition_of_any_thread_is_lost),
		cmocka_unit_test(what_one_thread_adds_another_takes_away),
		cmocka_unit_test(each_name_has_one_help_and_one_type),
		cmocka_unit_test(every_row_is_printed),
		cmocka_unit_test(each_upstream_has_rows_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
