/*
 * Promises of oci/digest.h and oci/hash.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "oci/hash.h"

#define EMPTY_256 \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_256 \
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                            \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void a_digest_reads_back_as_it_was(void **state)
{
	static const char *const rows[] = {
		"sha256:" ABC_256,
		"sha512:" ABC_512,
	};
	struct digest digest;
	struct err e;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		assert_int_equal(digest_parse(span_of(rows[i]), &digest, &e),
				 0);
		assert_string_equal(digest_text(&digest).s, rows[i]);
		assert_string_equal(digest_hex(&digest).s,
				    rows[i] + strlen("sha256:"));
	}
}

static void what_is_no_digest_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		":",
		"sha256",
		"sha256:",
		"sha256:abc",
		"sha256:" ABC_256 "0",
		"sha256:" ABC_256 " ",
		" sha256:" ABC_256,
		"sha256: " ABC_256,
		"sha256::" ABC_256,
		"SHA256:" ABC_256,
		"sha256:BA7816BF8F01CFEA414140DE5DAE2223"
		"B00361A396177A9CB410FF61F20015AD",
		"sha256:../../../../../../../../../../../../../../etc/passwd00000000",
		"sha512:" ABC_256,
		"sha256:" ABC_512,
		"md5:900150983cd24fb0d6963f7d28e17f72",
		"sha256+b64:" ABC_256,
		ABC_256,
	};
	struct digest digest;
	struct err e;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		assert_int_equal(digest_parse(span_of(rows[i]), &digest, &e),
				 -1);
		assert_int_equal(e.kind, ERR_DIGEST_INVALID);
	}
	assert_int_equal(digest_parse(SPAN_NONE, &digest, &e), -1);
	assert_int_equal(
		digest_parse(SPAN("sha256:" ABC_256 "\0"), &digest, &e), -1);
}

static void a_known_algorithm_that_is_not_ours_is_unsupported(void **state)
{
	struct digest digest;
	struct err e;

	(void)state;
	assert_int_equal(digest_parse(SPAN("blake3:" ABC_256), &digest, &e),
			 -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_int_equal(digest_parse(SPAN("blake3"), &digest, &e), -1);
	assert_int_equal(e.kind, ERR_DIGEST_INVALID);
}

static void algorithms_are_known_by_name(void **state)
{
	enum digest_algorithm algorithm;

	(void)state;
	assert_true(digest_algorithm_parse(SPAN("sha512"), &algorithm));
	assert_int_equal(algorithm, DIGEST_SHA512);
	assert_true(digest_algorithm_parse(SPAN("sha256"), &algorithm));
	assert_int_equal(algorithm, DIGEST_SHA256);
	assert_false(digest_algorithm_parse(SPAN("sha384"), &algorithm));
	assert_false(digest_algorithm_parse(SPAN_NONE, &algorithm));
	assert_string_equal(digest_algorithm_text(DIGEST_SHA512), "sha512");
	assert_int_equal(digest_size(DIGEST_SHA256), 32);
	assert_int_equal(digest_size(DIGEST_SHA512), 64);
}

static void equal_digests_are_of_one_algorithm(void **state)
{
	struct digest a = hash_of(DIGEST_SHA256, SPAN("abc"));
	struct digest b = hash_of(DIGEST_SHA256, SPAN("abc"));
	struct digest other = hash_of(DIGEST_SHA256, SPAN("abd"));
	struct digest longer = a;

	(void)state;
	longer.algorithm = DIGEST_SHA512;
	assert_true(digest_eq(&a, &b));
	assert_false(digest_eq(&a, &other));
	assert_false(digest_eq(&a, &longer));
}

static void bytes_have_their_published_digest(void **state)
{
	struct digest empty = hash_of(DIGEST_SHA256, SPAN_NONE);
	struct digest abc = hash_of(DIGEST_SHA256, SPAN("abc"));
	struct digest longer = hash_of(DIGEST_SHA512, SPAN("abc"));

	(void)state;
	assert_string_equal(digest_hex(&empty).s, EMPTY_256);
	assert_string_equal(digest_hex(&abc).s, ABC_256);
	assert_string_equal(digest_hex(&longer).s, ABC_512);
}

static void pieces_add_up_to_the_whole(void **state)
{
	auto_of(hash) struct hash *hash = hash_open(DIGEST_SHA256);
	struct digest first, whole, parsed;
	struct err e;

	(void)state;
	hash_add(hash, SPAN("a"));
	hash_add(hash, SPAN_NONE);
	first = hash_digest(hash);
	hash_add(hash, SPAN("bc"));
	whole = hash_digest(hash);
	assert_string_equal(digest_hex(&whole).s, ABC_256);
	assert_false(digest_eq(&first, &whole));
	assert_int_equal(digest_parse(SPAN("sha256:" ABC_256), &parsed, &e), 0);
	assert_memory_equal(&parsed, &whole, sizeof(whole));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_digest_reads_back_as_it_was),
		cmocka_unit_test(what_is_no_digest_is_refused),
		cmocka_unit_test(
			a_known_algorithm_that_is_not_ours_is_unsupported),
		cmocka_unit_test(algorithms_are_known_by_name),
		cmocka_unit_test(equal_digests_are_of_one_algorithm),
		cmocka_unit_test(bytes_have_their_published_digest),
		cmocka_unit_test(pieces_add_up_to_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
