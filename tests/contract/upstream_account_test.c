/*
 * Promises of upstream/upstream.h: as whom it is asked, and how often.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "upstream_lab.h"

#define FIRST "Authorization: Basic YTpzZWNyZXQ=\r\n"  /* a:secret */
#define SECOND "Authorization: Basic YjpzZWNyZXQ=\r\n" /* b:secret */
#define WANTS_BASIC \
	EMPTY("401 U") "WWW-Authenticate: Basic realm=\"lab\"\r\n\r\n"
#define LEFT(limit, left) \
	"ratelimit-limit: " limit "\r\nratelimit-remaining: " left "\r\n"
#define DIGEST                                                           \
	"Docker-Content-Digest: sha256:84d89877f0d4041efb6bf91a16f0248f" \
	"2fd573e6af05c19f96bedb9f882f7882\r\n"

/* With the credentials of a and another; they have one password. */
static struct upstream *pool_with(struct lab *lab, const char *another)
{
	const char *urls[] = { fake_url(lab->server) };
	struct upstream_credential credentials[] = {
		{ "a", lab->password_file },
		{ another, lab->password_file },
	};
	struct upstream *upstream;
	struct upstream_options options = {
		.name = "test",
		.urls = urls,
		.url_count = 1,
		.credentials = credentials,
		.credential_count = 2,
		.answer_ms = 2000,
	};

	assert_int_equal(upstream_open(&options, &upstream, &lab->e), 0);
	return upstream;
}

static void connect_pool(struct lab *lab)
{
	lab->upstream = pool_with(lab, "b");
}

/* As at a reload. */
static void follow(struct lab *lab, struct upstream *next)
{
	upstream_succeed(next, lab->upstream);
	upstream_close(&lab->upstream);
	lab->upstream = next;
}

static void answer(struct lab *lab, const char *head)
{
	fake_answer(lab->server, FAKE_KEEP, "%s\r\n", head);
}

static void assert_head(struct lab *lab)
{
	struct digest digest;

	if (lab_head(lab, &digest) < 0)
		fail_msg("%s", lab->e.message);
}

static void assert_refused(struct lab *lab, enum err_kind kind)
{
	struct digest digest;

	assert_fails(lab, lab_head(lab, &digest), kind);
}

/* The address has asked for Basic, and a was let in. */
static void connect_and_log_in(struct lab *lab)
{
	connect_pool(lab);
	fake_answer(lab->server, FAKE_KEEP, WANTS_BASIC);
	answer(lab, EMPTY("200 OK") DIGEST LEFT("100;w=60", "50;w=60"));
	assert_head(lab);
	assert_not_asked(lab->server, 0, "Authorization");
	assert_asked(lab->server, 1, FIRST);
}

/* ------------------------------------------------------------- the budget */

static void who_has_most_left_is_asked(void **state)
{
	struct lab *lab = *state;

	connect_and_log_in(lab);
	answer(lab, EMPTY("200 OK") DIGEST LEFT("200;w=60", "20;w=60"));
	answer(lab, EMPTY("200 OK") DIGEST LEFT("100;w=60", "10;w=60"));
	answer(lab, EMPTY("200 OK") DIGEST);
	for (int i = 0; i < 3; i++)
		assert_head(lab);
	assert_asked(lab->server, 2, SECOND); /* to know what it has */
	assert_asked(lab->server, 3, FIRST);
	assert_asked(lab->server, 4, SECOND);
}

static void the_budget_is_known(void **state)
{
	struct lab *lab = *state;
	struct upstream_budget budget;

	connect_and_log_in(lab);
	answer(lab, EMPTY("200 OK") DIGEST LEFT("200;w=60", "20;w=60"));
	assert_head(lab);
	upstream_budget(lab->upstream, &budget);
	assert_int_equal(budget.limit, 300);
	assert_int_equal(budget.left, 70);
	assert_int_equal(budget.window_s, 60);
	assert_int_equal(budget.paused_ms, 0);
}

static void a_lifetime_follows_the_budget_of_who_is_next(void **state)
{
	struct lab *lab = *state;

	connect_and_log_in(lab);
	assert_int_equal(upstream_lifetime(lab->upstream, 1000), 1000);
	answer(lab, EMPTY("200 OK") DIGEST LEFT("100;w=60", "9;w=60"));
	answer(lab, EMPTY("200 OK") DIGEST LEFT("100;w=60", "19;w=60"));
	assert_head(lab);
	assert_head(lab);
	assert_int_equal(upstream_lifetime(lab->upstream, 1000), 5000);
	answer(lab, EMPTY("429 T") "Retry-After: 60\r\n");
	answer(lab, EMPTY("200 OK") DIGEST LEFT("100;w=60", "9;w=60"));
	assert_head(lab);
	assert_int_equal(upstream_lifetime(lab->upstream, 1000), 10000);
}

/* ----------------------------------------------------------------- pauses */

static void after_a_429_the_next_is_asked_and_nobody_in_the_end(void **state)
{
	struct lab *lab = *state;
	struct upstream_budget budget;

	connect_and_log_in(lab);
	answer(lab, EMPTY("429 T") "Retry-After: 60\r\n"); /* b */
	answer(lab, EMPTY("429 T") "Retry-After: 40\r\n"); /* a */
	answer(lab, EMPTY("429 T") "Retry-After: 50\r\n"); /* nobody */
	assert_refused(lab, ERR_BUSY);
	assert_in_range(lab->e.retry_s, 30, 40);
	assert_asked(lab->server, 2, SECOND);
	assert_asked(lab->server, 3, FIRST);
	assert_not_asked(lab->server, 4, "Authorization");

	assert_refused(lab, ERR_BUSY);
	assert_non_null(strstr(lab->e.message, "asked again in"));
	assert_in_range(lab->e.retry_s, 30, 40);
	assert_int_equal(fake_request_count(lab->server), 5);
	upstream_budget(lab->upstream, &budget);
	assert_in_range(budget.paused_ms, 30000, 40000);
}

static void who_follows_goes_on_with_what_was_known(void **state)
{
	struct lab *lab = *state;
	struct upstream_budget budget;
	struct upstream_health health;

	connect_and_log_in(lab);
	for (int i = 0; i < 3; i++)
		answer(lab, EMPTY("429 T") "Retry-After: 60\r\n");
	assert_refused(lab, ERR_BUSY);
	follow(lab, pool_with(lab, "b"));
	assert_refused(lab, ERR_BUSY);
	assert_int_equal(fake_request_count(lab->server), 5);
	upstream_budget(lab->upstream, &budget);
	assert_int_equal(budget.limit, 100);
	upstream_health(lab->upstream, &health);
	assert_true(health.failed_ms >= 0);

	follow(lab, pool_with(lab, "c")); /* another upstream */
	answer(lab, EMPTY("200 OK") DIGEST);
	assert_head(lab);
	upstream_budget(lab->upstream, &budget);
	assert_int_equal(budget.limit, 0);
}

static void blobs_go_on_during_a_pause(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	answer(lab, EMPTY("429 T") "Retry-After: 60\r\n");
	assert_refused(lab, ERR_BUSY);
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
}

static void a_pause_ends(void **state)
{
	struct lab *lab = *state;
	int64_t start = clock_ms();

	lab_connect(lab, NULL, false);
	answer(lab, EMPTY("429 T") "Retry-After: 0\r\n");
	answer(lab, EMPTY("200 OK") DIGEST);
	assert_refused(lab, ERR_BUSY);
	for (struct digest digest; lab_head(lab, &digest) < 0; usleep(20000))
		assert_int_equal(lab->e.kind, ERR_BUSY);
	assert_true(clock_ms() - start >= 1000);
	assert_int_equal(fake_request_count(lab->server), 2);
}

static void a_pause_that_nobody_measures_has_a_length(void **state)
{
	struct lab *lab = *state;
	struct upstream_budget budget;

	lab_connect(lab, NULL, false);
	answer(lab, EMPTY("429 T"));
	assert_refused(lab, ERR_BUSY);
	upstream_budget(lab->upstream, &budget);
	assert_in_range(budget.paused_ms, 20000, 30000);
}

/* A blob, which nobody counts, says nothing of it. */
static void a_pause_grows_until_what_counts_is_answered(void **state)
{
	struct lab *lab = *state;
	struct upstream_budget budget;

	lab_connect(lab, NULL, false);
	answer(lab, EMPTY("429 T"));
	assert_refused(lab, ERR_BUSY);
	answer(lab, EMPTY("429 T") "Retry-After: 0\r\n");
	assert_fails(lab, lab_fetch(lab, 0), ERR_BUSY);
	do {
		usleep(20000);
		upstream_budget(lab->upstream, &budget);
	} while (budget.paused_ms > 0);
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	answer(lab, EMPTY("429 T"));
	assert_refused(lab, ERR_BUSY);
	upstream_budget(lab->upstream, &budget);
	assert_in_range(budget.paused_ms, 50000, 60000);
}

static void a_no_to_nobody_while_others_pause_is_no_no(void **state)
{
	struct lab *lab = *state;

	connect_and_log_in(lab);
	answer(lab, EMPTY("429 T") "Retry-After: 60\r\n");
	answer(lab, EMPTY("429 T") "Retry-After: 60\r\n");
	fake_answer(lab->server, FAKE_KEEP, WANTS_BASIC);
	assert_refused(lab, ERR_BUSY);
	fake_answer(lab->server, FAKE_KEEP, WANTS_BASIC);
	assert_refused(lab, ERR_BUSY);
	assert_int_equal(fake_request_count(lab->server), 6);
}

/* -------------------------------------------------------------- passwords */

static void write_password(struct lab *lab, const char *password)
{
	auto_fd int fd = open(lab->password_file, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, password, strlen(password)),
			 strlen(password));
}

static void a_refused_password_waits_for_another(void **state)
{
	struct lab *lab = *state;

	connect_pool(lab);
	for (int i = 0; i < 4; i++) /* a, a; b; nobody */
		fake_answer(lab->server, FAKE_KEEP, WANTS_BASIC);
	assert_refused(lab, ERR_DENIED);
	size_t asked = fake_request_count(lab->server);
	assert_int_equal(asked, 4); /* each was told once */

	fake_answer(lab->server, FAKE_KEEP, WANTS_BASIC);
	assert_refused(lab, ERR_DENIED);
	assert_int_equal(fake_request_count(lab->server), asked + 1);
	assert_not_asked(lab->server, asked, "Authorization");

	write_password(lab, "another one");
	answer(lab, EMPTY("200 OK") DIGEST);
	assert_head(lab);
	assert_asked(lab->server, asked + 1,
		     "Authorization: Basic YTphbm90aGVyIG9uZQ==\r\n");
}

static void answer_token(struct lab *lab)
{
	const char *token = "{\"token\": \"abc\"}";

	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("401 U") "WWW-Authenticate: Bearer realm="
				   "\"%s/token\"\r\n\r\n",
		    fake_url(lab->server));
	fake_answer(lab->server, FAKE_KEEP, TOKEN(token));
}

static void
a_repository_that_is_closed_to_one_is_asked_for_as_another(void **state)
{
	struct lab *lab = *state;

	connect_pool(lab);
	answer_token(lab); /* a's, and it is not let in */
	fake_answer(lab->server, FAKE_KEEP, EMPTY("403 F") "\r\n");
	answer_token(lab); /* b's */
	answer(lab, EMPTY("200 OK") DIGEST);
	assert_head(lab);
	assert_asked(lab->server, 1, FIRST);
	assert_asked(lab->server, 4, SECOND);

	answer(lab, EMPTY("200 OK") DIGEST); /* a is as good as before */
	assert_head(lab);
	assert_asked(lab->server, 6, "Authorization: Bearer abc\r\n");
}

static void a_password_that_the_realm_refuses_is_not_told_again(void **state)
{
	struct lab *lab = *state;

	connect_pool(lab);
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("401 U") "WWW-Authenticate: Bearer realm="
				   "\"%s/token\"\r\n\r\n",
		    fake_url(lab->server));
	fake_answer(lab->server, FAKE_KEEP, EMPTY("401 U") "\r\n");
	answer_token(lab); /* b's */
	answer(lab, EMPTY("200 OK") DIGEST);
	answer(lab, EMPTY("200 OK") DIGEST);
	assert_head(lab);
	assert_head(lab);
	assert_asked(lab->server, 1, FIRST);
	assert_asked(lab->server, 3, SECOND);
	assert_int_equal(fake_request_count(lab->server), 6);
}

/* ----------------------------------------------------------- storage links */

static int head_blob(struct lab *lab, int64_t *size_out)
{
	struct digest digest = lab_digest();

	return upstream_head_blob(lab->upstream, &lab_app, &digest, size_out,
				  &lab->e);
}

static void a_link_that_knows_no_head_is_asked_for_its_first_byte(void **state)
{
	static const char *const refusals[] = { "403 F", "405 M", "501 N" };
	static const char *const answers[] = {
		PART("0-0/10") "Content-Length: 1\r\n\r\n0",
		WHOLE,
	};
	struct lab *lab = *state;
	int64_t size;

	lab_connect(lab, NULL, false);
	for (size_t i = 0; i < 6; i++) {
		fake_answer(lab->server, FAKE_KEEP,
			    EMPTY("307 T") "Location: %s/x\r\n\r\n",
			    fake_url(lab->elsewhere));
		fake_answer(lab->elsewhere, FAKE_CUT,
			    "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n",
			    refusals[i / 2]);
		fake_answer(lab->elsewhere, FAKE_SILENCE, "%s", answers[i % 2]);
		assert_int_equal(head_blob(lab, &size), 0);
		assert_int_equal(size, 10);
		assert_asked(lab->elsewhere, 2 * i, "HEAD /x ");
		assert_asked(lab->elsewhere, 2 * i + 1, "GET /x ");
		assert_asked(lab->elsewhere, 2 * i + 1, "Range: bytes=0-0\r\n");
	}
}

static void a_link_that_refuses_twice_is_refused(void **state)
{
	struct lab *lab = *state;
	int64_t size;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("307 T") "Location: %s/x\r\n\r\n",
		    fake_url(lab->elsewhere));
	for (int i = 0; i < 2; i++)
		fake_answer(lab->elsewhere, FAKE_KEEP, EMPTY("403 F") "\r\n");
	assert_fails(lab, head_blob(lab, &size), ERR_UPSTREAM);
	assert_int_equal(fake_request_count(lab->elsewhere), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(who_has_most_left_is_asked),
		promise(the_budget_is_known),
		promise(a_lifetime_follows_the_budget_of_who_is_next),
		promise(after_a_429_the_next_is_asked_and_nobody_in_the_end),
		promise(who_follows_goes_on_with_what_was_known),
		promise(blobs_go_on_during_a_pause),
		promise(a_pause_ends),
		promise(a_pause_that_nobody_measures_has_a_length),
		promise(a_pause_grows_until_what_counts_is_answered),
		promise(a_no_to_nobody_while_others_pause_is_no_no),
		promise(a_refused_password_waits_for_another),
		promise(a_repository_that_is_closed_to_one_is_asked_for_as_another),
		promise(a_password_that_the_realm_refuses_is_not_told_again),
		promise(a_link_that_knows_no_head_is_asked_for_its_first_byte),
		promise(a_link_that_refuses_twice_is_refused),
	};

	lab_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
