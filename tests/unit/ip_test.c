/*
 * Promises of base/ip.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/ip.h"

static void an_address_has_one_text(void **state)
{
	static const char *const rows[][2] = {
		{ "10.0.0.1", "10.0.0.1" },
		{ "::ffff:10.0.0.1", "10.0.0.1" },
		{ "::ffff:a00:1", "10.0.0.1" },
		{ "::1", "::1" },
		{ "2001:DB8:0::1", "2001:db8::1" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct ip address;

		assert_true(ip_parse(span_of(rows[i][0]), &address));
		assert_string_equal(ip_text(&address).s, rows[i][1]);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"10.0.0",
		"10.0.0.256",
		"10.0.0.01",
		"10.0.0.1:80",
		"[::1]",
		"fe80::1%eth0",
		"host",
		" 10.0.0.1",
		"1:2:3:4:5:6:7:8:9",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct ip address;

		assert_false(ip_parse(span_of(rows[i]), &address));
	}
	assert_false(ip_parse(SPAN("10.0.0.1\0x"), &(struct ip){ 0 }));
}

static void a_network_holds_what_begins_like_it(void **state)
{
	static const struct {
		const char *network, *address;
		bool holds;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "10.1.2.3/8", "10.9.9.9", true },
		{ "192.168.4.0/22", "192.168.7.255", true },
		{ "192.168.4.0/22", "192.168.8.0", false },
		{ "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.2", false },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "10.0.0.1", true },
		{ "fd00::/8", "fdff::1", true },
		{ "fd00::/8", "fe00::1", false },
		{ "::1", "::1", true },
		{ "::1", "::2", false },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct ip_network network;
		struct ip address;

		assert_true(
			ip_network_parse(span_of(rows[i].network), &network));
		assert_true(ip_parse(span_of(rows[i].address), &address));
		assert_int_equal(ip_network_holds(&network, &address),
				 rows[i].holds);
	}
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const rows[] = {
		"10.0.0.0/33", "::/129",     "10.0.0.0/", "10.0.0.0/-1",
		"10.0.0/8",    "/8",	     "",	  "10.0.0.0/8/8",
		"10.0.0.0/ 8", "[fd00::]/8",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct ip_network network;

		assert_false(ip_network_parse(span_of(rows[i]), &network));
	}
}

static void a_host_of_ones_own_is_nobody_elses(void **state)
{
	static const char *const own[] = {
		"localhost",   "127.0.0.1", "127.1.2.3",
		"[::1]",       "[::]",	    "[0:0:0:0:0:0:0:1]",
		"0.0.0.0",     "[fe80::1]", "[::ffff:127.0.0.1]",
		"a.localhost",
	};
	static const char *const others[] = {
		"10.0.0.5",  "[fd00::1]",    "",
		"128.0.0.1", "registry.lan", "localhost.lan"
	};

	(void)state;
	for (size_t i = 0; i < array_size(own); i++)
		assert_true(ip_host_is_own(span_of(own[i])));
	for (size_t i = 0; i < array_size(others); i++)
		assert_false(ip_host_is_own(span_of(others[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_one_text),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_network_holds_what_begins_like_it),
		cmocka_unit_test(what_is_no_network_is_refused),
		cmocka_unit_test(a_host_of_ones_own_is_nobody_elses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
