/*
 * Some engines go nowhere else for its blobs once they hold a manifest: what
 * could not be pulled to its end is therefore not given out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mirror/flight.h"
#include "mirror_lab.h"
#include "oci/hash.h"

static struct reference by_digest(const char *manifest)
{
	struct digest digest = hash_of(DIGEST_SHA256, span_of(manifest));

	return reference_to_digest(&digest);
}

/* From now on nobody answers there. */
static void take_down(struct lab *lab)
{
	struct fake_server *gone = fake_open("127.0.0.1");
	struct upstream *next = upstream_at("docker.io", gone);

	fake_close(&gone);
	mirror_replace(lab->mirror, 0, next);
	upstream_close(&next);
}

/* As a GET does, or a HEAD. 0, or an error's kind. */
static int ask(struct lab *lab, const struct mirror_target *target,
	       struct reference reference)
{
	struct manifest_view view;
	struct err e;

	if (pull_peek_manifest(lab->mirror, target, &reference, lab->arena,
			       &view, &e) == 0 ||
	    pull_manifest(lab->mirror, target, &reference, lab->arena, &view,
			  &e) == 0)
		return 0;
	return (int)e.kind;
}

static int get(struct lab *lab, struct reference reference)
{
	struct mirror_target target = hub("library/app", false);

	return ask(lab, &target, reference);
}

static int head(struct lab *lab, struct reference reference)
{
	struct mirror_target target = hub("library/app", false);

	target.looks = true;
	return ask(lab, &target, reference);
}

static void nobody_is_given_what_he_could_not_pull(void **state)
{
	struct lab *lab = *state;
	struct reference references[] = { tag("1"),
					  by_digest(image(lab, "1")) };

	cache_image(lab);
	take_down(lab);
	rules.patience_ms = 0; /* that it answered is forgotten at once */
	for (size_t i = 0; i < array_size(references); i++) {
		assert_int_equal(get(lab, references[i]), ERR_MANIFEST_UNKNOWN);
		assert_int_equal(head(lab, references[i]), 0);
	}
}

static void what_is_whole_is_given_whatever_happens(void **state)
{
	struct lab *lab = *state;

	cache_whole_image(lab);
	take_down(lab);
	rules.patience_ms = 0;
	assert_int_equal(get(lab, by_digest(image(lab, "1"))), 0);
	assert_int_equal(get(lab, tag("1")), 0);
	upstream_rules[0].tag_lifetime_ms = 0;
	assert_int_equal(get(lab, tag("1")), 0);
}

static void one_that_answers_is_asked_by_a_single_head(void **state)
{
	struct lab *lab = *state;

	cache_image(lab);
	lab_stop(lab);
	lab_start(lab); /* nothing is known of the upstream */
	rules.patience_ms = 60000;
	answer_head(lab, image(lab, "1"));
	assert_int_equal(get(lab, by_digest(image(lab, "1"))), 0);
	assert_int_equal(fake_request_count(lab->server), 3);
	assert_ptr_equal(strstr(fake_request(lab->server, 2), "HEAD "),
			 fake_request(lab->server, 2));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(get(lab, tag("1")), 0);
		assert_int_equal(get(lab, by_digest(image(lab, "1"))), 0);
	}
	assert_int_equal(fake_request_count(lab->server), 3);
}

/* What a client gets once upstream answers like this. */
static void expect_behind(struct lab *lab, const char *refusal, int expected)
{
	answer_refusal(lab, refusal);
	assert_int_equal(get(lab, tag("1")), expected);
}

static void ask_patiently(struct lab *lab)
{
	cache_image(lab);
	rules.patience_ms = 5000;
	upstream_rules[0].tag_lifetime_ms = 0;
}

/* Then its blobs may be there. */
static void one_that_refuses_is_within_reach(void **state)
{
	struct lab *lab = *state;

	ask_patiently(lab);
	expect_behind(lab, "404 Not Found", 0);
	expect_behind(lab, "429 Too Many Requests", 0);
}

static void one_that_is_broken_is_not(void **state)
{
	struct lab *lab = *state;

	ask_patiently(lab);
	int64_t answered_ms = lab->mirror->crews[0].answered_ms;
	expect_behind(lab, "500 Internal Server Error", ERR_MANIFEST_UNKNOWN);
	expect_behind(lab, "501 Not Implemented", ERR_MANIFEST_UNKNOWN);
	expect_behind(lab, "599 Unheard Of", ERR_MANIFEST_UNKNOWN);
	fake_answer(lab->server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
		    "Content-Type: text/html\r\n\r\n");
	assert_int_equal(get(lab, tag("1")), ERR_MANIFEST_UNKNOWN);
	assert_int_equal(lab->mirror->crews[0].answered_ms, answered_ms);
	assert_int_equal(head(lab, tag("1")), 0);
}

static void one_behind_a_gateway_that_fails_is_not(void **state)
{
	struct lab *lab = *state;

	ask_patiently(lab);
	expect_behind(lab, "502 Bad Gateway", ERR_MANIFEST_UNKNOWN);
	expect_behind(lab, "503 Service Unavailable", ERR_MANIFEST_UNKNOWN);
	expect_behind(lab, "504 Gateway Timeout", ERR_MANIFEST_UNKNOWN);
}

static void answer_index(struct lab *lab, const char *index)
{
	fake_answer(lab->server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nContent-Type: "
		    "application/vnd.oci.image.index.v1+json\r\n\r\n%s",
		    strlen(index), index);
}

/* docker.io/library/app:2 is that index. */
static void cache_index(struct lab *lab, const char *index)
{
	answer_head(lab, index);
	answer_index(lab, index);
	assert_int_equal(get(lab, tag("2")), 0);
}

/* An image comes below it, whole, and then nobody is there. */
static void expect_use_with_image(struct lab *lab)
{
	rules.patience_ms = 0;
	take_down(lab);
	assert_int_equal(get(lab, tag("2")), ERR_MANIFEST_UNKNOWN);

	lab_stop(lab);
	lab_start(lab); /* it is back */
	cache_whole_image(lab);
	take_down(lab);
	assert_int_equal(get(lab, tag("2")), 0);
}

static void an_index_is_of_use_by_any_of_its_images(void **state)
{
	struct lab *lab = *state;

	cache_index(lab, index_of(lab, image(lab, "1")));
	expect_use_with_image(lab);
}

static void an_index_of_indexes_is_of_use_by_any_image_below(void **state)
{
	struct lab *lab = *state;
	const char *inner = index_of(lab, image(lab, "1"));

	cache_index(lab, index_of(lab, inner));
	answer_index(lab, inner);
	assert_int_equal(get(lab, by_digest(inner)), 0);
	expect_use_with_image(lab);
}

/* docker.io/library/app:2: an image, and what is said of it. */
static const char *attested(struct lab *lab, const char *of_linux,
			    const char *of_nothing)
{
	static const char entry[] =
		"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"digest\":\"%s\",\"size\":%zu,\"platform\":"
		"{\"os\":\"%s\",\"architecture\":\"%s\"}}";
	struct digest image_digest = hash_of(DIGEST_SHA256, span_of(of_linux));
	struct digest nothing = hash_of(DIGEST_SHA256, span_of(of_nothing));
	auto_buf struct buf text = { 0 };

	buf_add(&text, SPAN("{\"schemaVersion\":2,\"mediaType\":"
			    "\"application/vnd.oci.image.index.v1+json\","
			    "\"manifests\":["));
	buf_addf(&text, entry, digest_text(&image_digest).s, strlen(of_linux),
		 "linux", "amd64");
	buf_add(&text, SPAN(","));
	buf_addf(&text, entry, digest_text(&nothing).s, strlen(of_nothing),
		 "unknown", "unknown");
	buf_add(&text, SPAN("]}"));
	return arena_text(lab->arena, buf_span(&text));
}

/* Image 1 is whole, and nobody is there, which is known. */
static void know_only_image_1(struct lab *lab)
{
	cache_whole_image(lab);
	take_down(lab);
	assert_int_equal(get(lab, tag("3")), ERR_UNAVAILABLE);
}

static void an_attestation_makes_no_index_useful(void **state)
{
	struct lab *lab = *state;
	const char *index = attested(lab, "{}", image(lab, "1"));

	cache_index(lab, index);
	know_only_image_1(lab);
	assert_int_equal(get(lab, tag("2")), ERR_MANIFEST_UNKNOWN);
	assert_int_equal(get(lab, by_digest(index)), ERR_MANIFEST_UNKNOWN);
	assert_int_equal(head(lab, tag("2")), 0);
	upstream_rules[0].tag_lifetime_ms = 0;
	assert_int_equal(get(lab, tag("2")), ERR_MANIFEST_UNKNOWN);
}

static void nor_does_it_while_upstream_is_broken(void **state)
{
	struct lab *lab = *state;
	const char *index = attested(lab, "{}", image(lab, "1"));

	cache_index(lab, index);
	cache_whole_image(lab);
	answer_refusal(lab, "500 Internal Server Error");
	assert_int_equal(get(lab, tag("3")), ERR_UPSTREAM);
	answer_refusal(lab, "500 Internal Server Error");
	assert_int_equal(get(lab, tag("2")), ERR_MANIFEST_UNKNOWN);
	answer_head(lab, index);
	assert_int_equal(get(lab, by_digest(index)), 0);
	assert_int_equal(get(lab, tag("2")), 0);
}

static void nor_does_it_need_one(void **state)
{
	struct lab *lab = *state;
	const char *index = attested(lab, image(lab, "1"), "{}");

	cache_index(lab, index);
	know_only_image_1(lab);
	assert_int_equal(get(lab, tag("2")), 0);
	assert_int_equal(get(lab, by_digest(index)), 0);
	upstream_rules[0].tag_lifetime_ms = 0;
	assert_int_equal(get(lab, tag("2")), 0);
}

#define promise(function) \
	cmocka_unit_test_setup_teardown(function, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(nobody_is_given_what_he_could_not_pull),
		promise(what_is_whole_is_given_whatever_happens),
		promise(one_that_answers_is_asked_by_a_single_head),
		promise(one_that_refuses_is_within_reach),
		promise(one_that_is_broken_is_not),
		promise(one_behind_a_gateway_that_fails_is_not),
		promise(an_index_is_of_use_by_any_of_its_images),
		promise(an_index_of_indexes_is_of_use_by_any_image_below),
		promise(an_attestation_makes_no_index_useful),
		promise(nor_does_it_while_upstream_is_broken),
		promise(nor_does_it_need_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
