/*
 * Promises of upstream/upstream.h: what answers and refusals come to.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/thread.h"
#include "oci/hash.h"
#include "upstream_lab.h"

/* --------------------------------------------------------------- refusals */

static void a_status_says_what_is_wrong(void **state)
{
	static const struct {
		const char *status;
		enum err_kind blob, manifest;
		size_t attempts; /* at a blob */
	} rows[] = {
		{ "404 N", ERR_BLOB_UNKNOWN, ERR_MANIFEST_UNKNOWN, 1 },
		{ "401 U", ERR_DENIED, ERR_DENIED, 1 },
		{ "403 F", ERR_DENIED, ERR_DENIED, 1 },
		{ "508 L", ERR_LOOP, ERR_LOOP, 1 },
		{ "500 I", ERR_UPSTREAM, ERR_UPSTREAM, 2 },
		{ "502 B", ERR_UNAVAILABLE, ERR_UNAVAILABLE, 2 },
		{ "503 S", ERR_UNAVAILABLE, ERR_UNAVAILABLE, 2 },
		{ "504 G", ERR_UNAVAILABLE, ERR_UNAVAILABLE, 2 },
		{ "204 N", ERR_UPSTREAM, ERR_UPSTREAM, 2 },
		{ "304 N", ERR_UPSTREAM, ERR_UPSTREAM, 2 },
		{ "400 B", ERR_UPSTREAM, ERR_UPSTREAM, 2 },
		{ "429 T", ERR_BUSY, ERR_BUSY, 1 },
	};
	struct lab *lab = *state;
	struct digest digest;

	lab_connect(lab, NULL, false);
	for (size_t i = 0; i < array_size(rows); i++) {
		for (size_t j = 0; j <= rows[i].attempts; j++)
			fake_answer(lab->server, FAKE_KEEP,
				    "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n",
				    rows[i].status);
		assert_fails(lab, lab_head(lab, &digest), rows[i].manifest);
		assert_fails(lab, lab_fetch(lab, 0), rows[i].blob);
	}
	assert_int_equal(lab->basket.starts, 0);
}

static void what_is_no_http_is_upstreams_fault(void **state)
{
	static const char *const rows[] = {
		"",
		"hello\r\n\r\n",
		OK "Content-Length: -1\r\n\r\n",
		OK "Content-Length: 99999999999999999999\r\n\r\n",
		OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
		OK "Content-Length: 2x\r\n\r\nxx",
		OK "Content-Length: 2\r\n\r\nx",
		OK "Transfer-Encoding: chunked\r\n\r\nx\r\n",
	};
	struct lab *lab = *state;
	struct upstream_manifest manifest;
	auto_with(arena_close) struct arena *arena = arena_open();

	lab_connect(lab, NULL, false);
	for (size_t i = 0; i < array_size(rows); i++) {
		fake_answer(lab->server, FAKE_CUT, "%s", rows[i]);
		assert_fails(lab, lab_manifest(lab, "1", arena, &manifest),
			     ERR_UPSTREAM);
		assert_int_equal(fake_request_count(lab->server), i + 1);
	}
}

static void a_head_has_a_limit(void **state)
{
	struct lab *lab = *state;
	struct digest digest;
	char filler[1001] = "";

	lab_connect(lab, NULL, false);
	memset(filler, 'x', sizeof(filler) - 1);
	struct buf head = { 0 };
	for (int i = 0; i < 70; i++)
		buf_addf(&head, "X-%d: %s\r\n", i, filler);
	fake_answer(lab->server, FAKE_KEEP, OK "%s\r\n", head.at);
	buf_free(&head);
	assert_fails(lab, lab_head(lab, &digest), ERR_UPSTREAM);
}

static void an_encoded_body_is_refused(void **state)
{
	struct lab *lab = *state;
	struct upstream_manifest manifest;
	auto_with(arena_close) struct arena *arena = arena_open();

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP,
		    OK "Content-Encoding: gzip\r\n"
		       "Content-Length: 1\r\n\r\nx");
	assert_fails(lab, lab_manifest(lab, "1", arena, &manifest),
		     ERR_UPSTREAM);
	assert_not_asked(lab->server, 0, "Accept-Encoding");
}

static void a_page_is_no_manifest(void **state)
{
	struct lab *lab = *state;
	struct upstream_manifest manifest;
	struct digest digest;
	auto_with(arena_close) struct arena *arena = arena_open();

	lab_connect(lab, NULL, false);
	for (int i = 0; i < 2; i++)
		fake_answer(lab->server, FAKE_KEEP,
			    OK "Content-Type: text/HTML; charset=utf-8\r\n"
			       "Content-Length: 6\r\n\r\n%s",
			    i == 0 ? "<html>" : "");
	assert_fails(lab, lab_manifest(lab, "1", arena, &manifest),
		     ERR_UPSTREAM);
	assert_fails(lab, lab_head(lab, &digest), ERR_UPSTREAM);
}

/* ---------------------------------------------------------- along a proxy */

static void a_proxy_is_asked_in_place_of_the_address(void **state)
{
	struct lab *lab = *state;
	const char *own = fake_url(lab->elsewhere);
	auto_buf struct buf proxy = { 0 };

	buf_addf(&proxy, "http://me:pass%%40word@%s", own + strlen("http://"));
	lab->proxy = proxy.at;
	lab_connect(lab, "http://registry.invalid", false);
	fake_answer(lab->elsewhere, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	assert_asked(lab->elsewhere, 0,
		     "GET http://registry.invalid/v2/app/blobs/sha256:");
	assert_asked(lab->elsewhere, 0, /* me:pass@word */
		     "Proxy-Authorization: Basic bWU6cGFzc0B3b3Jk\r\n");
}

static void a_proxy_that_does_not_get_there_is_no_answer(void **state)
{
	struct lab *lab = *state;
	struct digest digest;
	const char *urls[] = { "https://registry.invalid" };
	struct upstream_options options = {
		.name = "test",
		.urls = urls,
		.url_count = 1,
		.proxy = fake_url(lab->elsewhere),
	};

	assert_int_equal(upstream_open(&options, &lab->upstream, &lab->e), 0);
	fake_answer(lab->elsewhere, FAKE_KEEP, EMPTY("502 B") "\r\n");
	assert_fails(lab, lab_head(lab, &digest), ERR_UNAVAILABLE);
	assert_asked(lab->elsewhere, 0, "CONNECT registry.invalid:443 ");
}

/* ------------------------------------------------------ several addresses */

/* An address of this machine where nobody listens; the socket holds it. */
static int dead_address(char *url, size_t room)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	snprintf(url, room, "http://127.0.0.1:%u", ntohs(name.sin_port));
	return fd;
}

static void answer_digest(struct lab *lab)
{
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("200 OK") "Docker-Content-Digest: %s\r\n\r\n",
		    digest_text(&(struct digest){ 0 }).s);
}

static void the_next_address_answers_for_a_dead_one(void **state)
{
	struct lab *lab = *state;
	struct digest digest;
	char url[64];
	auto_fd int dead = dead_address(url, sizeof(url));

	assert_true(dead >= 0);
	lab_connect(lab, url, false);
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	answer_digest(lab);
	assert_fetched(lab);
	assert_int_equal(lab_head(lab, &digest), 0);
}

static void the_next_address_answers_for_a_silent_one(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, fake_url(lab->elsewhere), false);
	fake_answer(lab->elsewhere, FAKE_SILENCE, "%s", "");
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
}

static void the_next_address_answers_for_one_that_only_begins(void **state)
{
	struct lab *lab = *state;
	struct digest digest;

	lab_connect(lab, fake_url(lab->elsewhere), false);
	fake_answer(lab->elsewhere, FAKE_DRIP, OK);
	answer_digest(lab);
	assert_int_equal(lab_head(lab, &digest), 0);
}

/* Its realm is one more that has to be waited for. */
static void the_next_address_answers_for_one_without_a_token(void **state)
{
	struct lab *lab = *state;
	struct digest digest;
	const char *urls[] = { fake_url(lab->elsewhere),
			       fake_url(lab->server) };
	struct upstream_options options = {
		.name = "test",
		.urls = urls,
		.url_count = 2,
		.answer_ms = 4000,
	};

	assert_int_equal(upstream_open(&options, &lab->upstream, &lab->e), 0);
	fake_answer(lab->elsewhere, FAKE_KEEP,
		    EMPTY("401 U") "WWW-Authenticate: Bearer realm="
				   "\"%s/token\"\r\n\r\n",
		    urls[0]);
	fake_answer(lab->elsewhere, FAKE_SILENCE, "%s", "");
	answer_digest(lab);
	assert_int_equal(lab_head(lab, &digest), 0);
	assert_asked(lab->elsewhere, 1, "GET /token?");
}

static void a_transfer_resumes_at_the_next_address(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, fake_url(lab->elsewhere), false);
	fake_answer(lab->elsewhere, FAKE_CUT, WHOLE "0123");
	fake_answer(lab->elsewhere, FAKE_KEEP, EMPTY("503 B") "\r\n");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("4-9/10") "Content-Length: 6\r\n\r\n456789");
	assert_fetched(lab);
	assert_asked(lab->server, 0, "Range: bytes=4-\r\n");
}

static void nobody_there_is_unavailable(void **state)
{
	struct lab *lab = *state;
	struct digest digest;
	char url[64];
	auto_fd int dead = dead_address(url, sizeof(url));
	const char *urls[] = { url };
	struct upstream_options options = {
		.name = "test",
		.urls = urls,
		.url_count = 1,
	};

	assert_true(dead >= 0);
	assert_int_equal(upstream_open(&options, &lab->upstream, &lab->e), 0);
	assert_fails(lab, lab_head(lab, &digest), ERR_UNAVAILABLE);
	assert_fails(lab, lab_fetch(lab, 0), ERR_UNAVAILABLE);
}

/* -------------------------------------------------------------- manifests */

#define MANIFEST "{\"schemaVersion\": 2}"

static void answer_manifest(struct lab *lab, const struct digest *said)
{
	fake_answer(lab->server, FAKE_KEEP,
		    OK "Content-Type: application/vnd.oci.image.index.v1+json"
		       " ; charset=utf-8\r\nContent-Length: %zu\r\n%s%s%s\r\n"
		       "%s",
		    strlen(MANIFEST), said ? "Docker-Content-Digest: " : "",
		    said ? digest_text(said).s : "", said ? "\r\n" : "",
		    MANIFEST);
}

static void a_manifest_comes_with_its_type(void **state)
{
	struct lab *lab = *state;
	struct upstream_manifest manifest;
	auto_with(arena_close) struct arena *arena = arena_open();
	struct digest digest = hash_of(DIGEST_SHA256, SPAN(MANIFEST));

	lab_connect(lab, NULL, false);
	answer_manifest(lab, &digest);
	answer_manifest(lab, NULL);
	answer_manifest(lab, NULL);
	assert_int_equal(lab_manifest(lab, "1", arena, &manifest), 0);
	assert_true(span_is(manifest.bytes, MANIFEST));
	assert_true(span_is(manifest.media_type,
			    "application/vnd.oci.image.index.v1+json"));
	assert_asked(lab->server, 0, "GET /v2/app/manifests/1 HTTP/1.1\r\n");
	assert_asked(lab->server, 0, "User-Agent: private-registry/");
	assert_asked(lab->server, 0, manifest_accept());

	assert_int_equal(lab_manifest(lab, "1", arena, &manifest), 0);
	assert_int_equal(
		lab_manifest(lab, digest_text(&digest).s, arena, &manifest), 0);
	assert_asked(lab->server, 2, digest_text(&digest).s);
}

static void a_manifest_with_wrong_bytes_is_corrupt(void **state)
{
	struct lab *lab = *state;
	struct upstream_manifest manifest;
	auto_with(arena_close) struct arena *arena = arena_open();
	struct digest other = hash_of(DIGEST_SHA256, SPAN("other"));

	lab_connect(lab, NULL, false);
	answer_manifest(lab, &other);
	assert_fails(lab, lab_manifest(lab, "1", arena, &manifest),
		     ERR_CORRUPT);
	answer_manifest(lab, NULL);
	assert_fails(lab,
		     lab_manifest(lab, digest_text(&other).s, arena, &manifest),
		     ERR_CORRUPT);
}

static void a_manifest_has_a_limit(void **state)
{
	struct lab *lab = *state;
	struct upstream_manifest manifest;
	auto_with(arena_close) struct arena *arena = arena_open();

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_CUT, OK "Content-Length: %d\r\n\r\nx",
		    MANIFEST_MAX + 1);
	assert_fails(lab, lab_manifest(lab, "1", arena, &manifest),
		     ERR_UPSTREAM);
	fake_answer(lab->server, FAKE_CUT,
		    OK "Transfer-Encoding: chunked\r\n\r\n%x\r\n%*s\r\n",
		    MANIFEST_MAX + 1, MANIFEST_MAX + 1, "x");
	assert_fails(lab, lab_manifest(lab, "1", arena, &manifest),
		     ERR_UPSTREAM);
}

static void a_head_says_the_digest_of_a_tag(void **state)
{
	struct lab *lab = *state;
	struct digest said = lab_digest(), digest;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP,
		    OK "Content-Length: 99\r\nDocker-Content-Digest: %s"
		       "\r\n\r\n",
		    digest_text(&said).s);
	assert_int_equal(lab_head(lab, &digest), 0);
	assert_true(digest_eq(&digest, &said));
	assert_asked(lab->server, 0, "HEAD /v2/app/manifests/1.0 HTTP/1.1\r\n");
	assert_asked(lab->server, 0, manifest_accept());
}

static void a_head_without_a_digest_takes_a_get(void **state)
{
	struct lab *lab = *state;
	struct digest digest, right = hash_of(DIGEST_SHA256, SPAN(MANIFEST));

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP, OK "Content-Length: 20\r\n\r\n");
	answer_manifest(lab, NULL);
	assert_int_equal(lab_head(lab, &digest), 0);
	assert_true(digest_eq(&digest, &right));
	assert_asked(lab->server, 1, "GET /v2/app/manifests/1.0 ");
}

static void a_malformed_digest_is_refused(void **state)
{
	struct lab *lab = *state;
	struct digest digest;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("200 OK") "Docker-Content-Digest: sha256:x\r\n\r\n");
	assert_fails(lab, lab_head(lab, &digest), ERR_UPSTREAM);
}

static void a_silent_upstream_is_waited_for_no_longer(void **state)
{
	struct lab *lab = *state;
	struct digest digest;
	int64_t start = clock_ms();

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_SILENCE, "HTTP/1.1 200");
	assert_fails(lab, lab_head(lab, &digest), ERR_TIMEOUT);
	assert_true(clock_ms() - start >= 200);
	assert_true(clock_ms() - start < 1000);
}

/* ------------------------------------------------------------ the process */

struct fetching {
	struct thread thread;
	struct lab *lab;
	int result;
};

static void fetch_until_aborted(void *arg)
{
	struct fetching *fetching = arg;

	fetching->result = lab_fetch(fetching->lab, 0);
}

static void an_abort_ends_what_is_under_way(void **state)
{
	struct lab *lab = *state;
	struct fetching fetching = { .lab = lab };
	struct digest digest;
	const char *urls[] = { fake_url(lab->server) };
	struct upstream_options options = {
		.name = "test",
		.urls = urls,
		.url_count = 1,
	};
	int64_t start = clock_ms();

	assert_int_equal(upstream_open(&options, &lab->upstream, &lab->e), 0);
	fake_answer(lab->server, FAKE_SILENCE, WHOLE "012");
	thread_start(&fetching.thread, "fetch", fetch_until_aborted, &fetching);
	fake_wait(lab->server, 1);
	upstream_abort(lab->upstream);
	thread_join(&fetching.thread);
	assert_fails(lab, fetching.result, ERR_CLOSED);
	assert_fails(lab, lab_head(lab, &digest), ERR_CLOSED);
	assert_int_equal(fake_request_count(lab->server), 1);
	assert_true(clock_ms() - start < 2000);
}

static void what_cannot_work_is_refused_at_once(void **state)
{
	static const char *const urls[] = {
		"",	      "docker.io",    "ftp://a",    "http://a/path",
		"http://a?q", "http://u:p@a", "http://a#f", "http://a//",
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < array_size(urls); i++) {
		struct upstream_options options = {
			.name = "test",
			.urls = &urls[i],
			.url_count = 1,
		};
		assert_fails(lab,
			     upstream_open(&options, &lab->upstream, &lab->e),
			     ERR_USAGE);
	}
	const char *good[] = { "http://a/" };
	struct upstream_options options = {
		.name = "test",
		.urls = good,
		.url_count = 1,
		.ca = "/nonexistent/ca.pem",
	};
	assert_fails(lab, upstream_open(&options, &lab->upstream, &lab->e),
		     ERR_USAGE);
	options.ca = lab->password_file; /* no certificate */
	assert_fails(lab, upstream_open(&options, &lab->upstream, &lab->e),
		     ERR_USAGE);
	options.ca = NULL;
	options.certificate = lab->password_file;
	assert_fails(lab, upstream_open(&options, &lab->upstream, &lab->e),
		     ERR_USAGE);
	options.certificate = NULL;
	options.key = lab->password_file;
	assert_fails(lab, upstream_open(&options, &lab->upstream, &lab->e),
		     ERR_USAGE);
	options.key = NULL;
	struct upstream_credential credential = { .username = "user" };
	options.credentials = &credential;
	options.credential_count = 1;
	assert_fails(lab, upstream_open(&options, &lab->upstream, &lab->e),
		     ERR_USAGE);
	credential.password_file = "/nonexistent/secret";
	assert_fails(lab, upstream_open(&options, &lab->upstream, &lab->e),
		     ERR_USAGE);
	assert_null(lab->upstream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_status_says_what_is_wrong),
		promise(what_is_no_http_is_upstreams_fault),
		promise(a_head_has_a_limit),
		promise(an_encoded_body_is_refused),
		promise(a_page_is_no_manifest),
		promise(a_proxy_is_asked_in_place_of_the_address),
		promise(a_proxy_that_does_not_get_there_is_no_answer),
		promise(the_next_address_answers_for_a_dead_one),
		promise(the_next_address_answers_for_a_silent_one),
		promise(the_next_address_answers_for_one_that_only_begins),
		promise(the_next_address_answers_for_one_without_a_token),
		promise(a_transfer_resumes_at_the_next_address),
		promise(nobody_there_is_unavailable),
		promise(a_manifest_comes_with_its_type),
		promise(a_manifest_with_wrong_bytes_is_corrupt),
		promise(a_manifest_has_a_limit),
		promise(a_head_says_the_digest_of_a_tag),
		promise(a_head_without_a_digest_takes_a_get),
		promise(a_malformed_digest_is_refused),
		promise(a_silent_upstream_is_waited_for_no_longer),
		promise(an_abort_ends_what_is_under_way),
		promise(what_cannot_work_is_refused_at_once),
	};

	lab_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
