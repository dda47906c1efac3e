/*
 * Promises of upstream/upstream.h: lists of tags and of referrers.
 */
#include <stdio.h>

#include "upstream_lab.h"

#define JSON OK "Content-Type: application/json; charset=utf-8\r\n"
#define INDEX OK "Content-Type: application/vnd.oci.image.index.v1+json\r\n"
#define HTML OK "Content-Type: text/html\r\n"
#define ENTRY                                                               \
	"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","    \
	"\"digest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b9" \
	"34ca495991b7852b855\",\"size\":7,\"artifactType\":\"a/b\"}"

/* ------------------------------------------------------ words of this file */

static void answer(struct lab *lab, const char *head, const char *body)
{
	fake_answer(lab->server, FAKE_KEEP, "%sContent-Length: %zu\r\n\r\n%s",
		    head, strlen(body), body);
}

static int list_tags(struct lab *lab, struct buf *lines)
{
	buf_clear(lines);
	return upstream_list_tags(lab->upstream, &lab_app, lines, &lab->e);
}

static int list_referrers(struct lab *lab, struct buf *lines)
{
	struct digest digest = lab_digest();

	buf_clear(lines);
	return upstream_list_referrers(lab->upstream, &lab_app, &digest, lines,
				       &lab->e);
}

static void assert_tags(struct lab *lab, const char *wanted)
{
	auto_buf struct buf lines = { 0 };

	if (list_tags(lab, &lines) < 0)
		fail_msg("%s", lab->e.message);
	assert_string_equal(lines.at ? lines.at : "", wanted);
}

/* ------------------------------------------------------------------- tests */

static void the_pages_of_a_list_are_followed(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	answer(lab,
	       JSON "Link: </v2/app/tags/list?n=2&last=c>; rel=\"next\"\r\n",
	       "{\"name\":\"app\",\"tags\":[\"c\",\"b\"]}");
	answer(lab, JSON "Link: <?next_page=xyz>; rel=\"next\"\r\n",
	       "{\"name\":\"app\",\"tags\":null}");
	answer(lab, JSON, "{\"name\":\"app\",\"tags\":[\"a\",\"c\"]}");
	assert_tags(lab, "a\nb\nc\n");
	assert_asked(lab->server, 0, "GET /v2/app/tags/list?n=1000 HTTP");
	assert_asked(lab->server, 1, "GET /v2/app/tags/list?n=2&last=c HTTP");
	assert_asked(lab->server, 2, "GET /v2/app/tags/list?next_page=xyz ");
}

/* Law 6: what a Link calls its server is nobody to be asked. */
static void a_link_is_asked_for_where_the_registry_is(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, true);
	fake_answer(lab->server, FAKE_KEEP,
		    JSON "Link: <%s/v2/app/tags/list?last=a>; rel=\"next\"\r\n"
			 "Content-Length: 14\r\n\r\n{\"tags\":[\"a\"]}",
		    fake_url(lab->elsewhere));
	answer(lab, JSON, "{\"tags\":[\"b\"]}");
	assert_tags(lab, "a\nb\n");
	assert_asked(lab->server, 1, "GET /v2/app/tags/list?last=a HTTP");
	assert_int_equal(fake_connection_count(lab->elsewhere), 0);
}

static void a_list_without_an_end_is_upstreams_fault(void **state)
{
	static const char *const links[] = {
		"</v2/app/tags/list?n=1000>; rel=\"next\"",
		"<ftp://host/x>; rel=\"next\"",
		"<http://user@host/x>; rel=\"next\"",
		"<http://host>; rel=\"next\"",
	};
	struct lab *lab = *state;
	auto_buf struct buf lines = { 0 };

	lab_connect(lab, NULL, false);
	for (size_t i = 0; i < array_size(links); i++) {
		fake_answer(lab->server, FAKE_KEEP,
			    JSON "Link: %s\r\n"
				 "Content-Length: 14\r\n\r\n{\"tags\":[\"a\"]}",
			    links[i]);
		assert_fails(lab, list_tags(lab, &lines), ERR_UPSTREAM);
		assert_int_equal(fake_request_count(lab->server), i + 1);
	}
}

static void what_is_no_list_of_tags_says_so(void **state)
{
	static const struct {
		const char *answer;
		enum err_kind kind;
	} rows[] = {
		{ EMPTY("404 N"), ERR_NAME_UNKNOWN },
		{ EMPTY("401 U"), ERR_DENIED },
		{ EMPTY("403 F"), ERR_DENIED },
		{ EMPTY("500 I"), ERR_UPSTREAM },
		{ EMPTY("405 M"), ERR_UPSTREAM },
		{ HTML "Content-Length: 6\r\n\r\n<html>", ERR_UPSTREAM },
		{ JSON "Content-Length: 2\r\n\r\n[]", ERR_UPSTREAM },
		{ JSON "Content-Length: 9999\r\n\r\n{", ERR_UPSTREAM },
		{ EMPTY("429 T"), ERR_BUSY },
	};
	struct lab *lab = *state;
	auto_buf struct buf lines = { 0 };

	lab_connect(lab, NULL, false);
	for (size_t i = 0; i < array_size(rows); i++) {
		fake_answer(lab->server,
			    strstr(rows[i].answer, "9999") ? FAKE_CUT :
							     FAKE_KEEP,
			    "%s%s", rows[i].answer,
			    strstr(rows[i].answer, "\r\n\r\n") ? "" : "\r\n");
		assert_fails(lab, list_tags(lab, &lines), rows[i].kind);
	}
}

static void a_page_has_a_bound(void **state)
{
	struct lab *lab = *state;
	auto_buf struct buf lines = { 0 };
	auto_buf struct buf body = { 0 };

	lab_connect(lab, NULL, false);
	buf_addf(&body, "{\"tags\":[\"");
	while (body.len < 9 * 1024 * 1024)
		buf_addf(&body, "%099d\",\"", 7);
	fake_answer(lab->server, FAKE_CUT, JSON "\r\n%s", body.at);
	assert_fails(lab, list_tags(lab, &lines), ERR_UPSTREAM);
}

static void referrers_are_listed_in_upstreams_order(void **state)
{
	struct lab *lab = *state;
	auto_buf struct buf lines = { 0 };

	lab_connect(lab, NULL, false);
	answer(lab, INDEX "Link: </v2/app/referrers/x?p=2>; rel=\"next\"\r\n",
	       "{\"schemaVersion\":2,\"manifests\":[" ENTRY "]}");
	answer(lab, INDEX, "{\"schemaVersion\":2,\"manifests\":[" ENTRY "]}");
	assert_int_equal(list_referrers(lab, &lines), 0);
	assert_string_equal(lines.at, "a/b\t" ENTRY "\na/b\t" ENTRY "\n");
	assert_asked(lab->server, 0, "GET /v2/app/referrers/sha256:");
	assert_asked(lab->server, 0,
		     "Accept: application/vnd.oci.image.index.v1+json");
}

static void a_registry_without_the_api_says_so_in_many_ways(void **state)
{
	static const struct {
		const char *answer;
		enum err_kind kind;
	} rows[] = {
		{ EMPTY("404 N") "\r\n", ERR_UNSUPPORTED },
		{ EMPTY("400 B") "\r\n", ERR_UNSUPPORTED },
		{ EMPTY("405 M") "\r\n", ERR_UNSUPPORTED },
		{ EMPTY("406 N") "\r\n", ERR_UNSUPPORTED },
		{ EMPTY("501 N") "\r\n", ERR_UNSUPPORTED },
		{ HTML "Content-Length: 6\r\n\r\n<html>", ERR_UNSUPPORTED },
		{ OK "Content-Length: 2\r\n\r\n{}", ERR_UNSUPPORTED },
		{ INDEX "Content-Length: 2\r\n\r\n[]", ERR_UPSTREAM },
		{ EMPTY("401 U") "\r\n", ERR_DENIED },
		{ EMPTY("500 I") "\r\n", ERR_UPSTREAM },
		{ EMPTY("429 T") "\r\n", ERR_BUSY },
	};
	struct lab *lab = *state;
	auto_buf struct buf lines = { 0 };

	lab_connect(lab, NULL, false);
	for (size_t i = 0; i < array_size(rows); i++) {
		fake_answer(lab->server, FAKE_KEEP, "%s", rows[i].answer);
		assert_fails(lab, list_referrers(lab, &lines), rows[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(the_pages_of_a_list_are_followed),
		promise(a_link_is_asked_for_where_the_registry_is),
		promise(a_list_without_an_end_is_upstreams_fault),
		promise(what_is_no_list_of_tags_says_so),
		promise(a_page_has_a_bound),
		promise(referrers_are_listed_in_upstreams_order),
		promise(a_registry_without_the_api_says_so_in_many_ways),
	};

	lab_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
