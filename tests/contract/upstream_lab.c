#include "upstream_lab.h"

#include <signal.h>

#include "base/mem.h"
#include "oci/hash.h"

static const struct name app = { "app" };
const struct upstream_question lab_app = { .name = &app, .reason = "test" };

static int basket_start(void *arg, int64_t size, struct err *e)
{
	struct basket *basket = arg;

	(void)e;
	assert_int_equal(basket->bytes.len, 0);
	basket->size = size;
	basket->starts++;
	return 0;
}

static int basket_restart(void *arg, struct err *e)
{
	struct basket *basket = arg;

	(void)e;
	buf_clear(&basket->bytes);
	basket->restarts++;
	return 0;
}

static int basket_write(void *arg, struct span piece, struct err *e)
{
	struct basket *basket = arg;

	buf_add(&basket->bytes, piece);
	if (basket->room && (int64_t)basket->bytes.len > basket->room)
		return err_set(e, ERR_NO_SPACE, "the basket is full");
	return 0;
}

void lab_connect(struct lab *lab, const char *first, bool credentials)
{
	const char *urls[] = { first, fake_url(lab->server) };
	struct upstream_options options = {
		.name = "test",
		.pseudonym = "us",
		.urls = first ? urls : urls + 1,
		.url_count = first ? 2 : 1,
		.credentials =
			&(struct upstream_credential){ "user",
						       lab->password_file },
		.credential_count = credentials,
		.silence_ms = lab->pace_ms ? 10000 : 200,
		.pace_ms = lab->pace_ms,
		.proxy = lab->proxy,
		.answer_ms = 2000,
		.give_up_ms = lab->pace_ms ? 10000 : 600,
	};

	assert_int_equal(upstream_open(&options, &lab->upstream, &lab->e), 0);
}

static void lab_write_password(struct lab *lab)
{
	char path[] = "/tmp/upstream-test-XXXXXX";
	auto_fd int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "secret\nmore\n", 12), 12);
	lab->password_file = mem_text(path);
}

int lab_open(void **state)
{
	struct lab *lab = mem_alloc(sizeof(*lab));

	lab->server = fake_open("127.0.0.1");
	lab->elsewhere = fake_open("127.0.0.2");
	lab_write_password(lab);
	*state = lab;
	return 0;
}

int lab_close(void **state)
{
	struct lab *lab = *state;

	upstream_close(&lab->upstream);
	fake_close(&lab->server);
	fake_close(&lab->elsewhere);
	unlink(lab->password_file);
	free(lab->password_file);
	buf_free(&lab->basket.bytes);
	free(lab);
	return 0;
}

struct digest lab_digest(void)
{
	return hash_of(DIGEST_SHA256, SPAN(BLOB));
}

int lab_fetch(struct lab *lab, int64_t have)
{
	struct upstream_sink sink = {
		.start = basket_start,
		.restart = basket_restart,
		.write = basket_write,
		.arg = &lab->basket,
	};
	struct digest digest = lab_digest();
	struct upstream_blob blob = {
		.digest = &digest,
		.size = lab->size ? lab->size : -1,
		.offset = have,
		.end = lab->end,
	};

	buf_clear(&lab->basket.bytes);
	lab->basket.starts = lab->basket.restarts = 0;
	return upstream_get_blob(lab->upstream, &lab_app, &blob, &sink,
				 &lab->e);
}

void assert_fetched(struct lab *lab)
{
	if (lab_fetch(lab, 0) < 0)
		fail_msg("%s", lab->e.message);
	assert_true(span_is(buf_span(&lab->basket.bytes), BLOB));
	assert_int_equal(lab->basket.starts, 1);
}

void assert_fails(struct lab *lab, int result, enum err_kind kind)
{
	assert_int_equal(result, -1);
	if (lab->e.kind != kind)
		fail_msg("%s: %s", err_kind_text(lab->e.kind), lab->e.message);
}

int lab_head(struct lab *lab, struct digest *out)
{
	struct reference ref;

	assert_int_equal(reference_parse(SPAN("1.0"), &ref, &lab->e), 0);
	return upstream_head_manifest(lab->upstream, &lab_app, &ref, out,
				      &lab->e);
}

int lab_manifest(struct lab *lab, const char *reference, struct arena *arena,
		 struct upstream_manifest *out)
{
	struct reference ref;

	assert_int_equal(reference_parse(span_of(reference), &ref, &lab->e), 0);
	return upstream_get_manifest(lab->upstream, &lab_app, &ref, arena, out,
				     &lab->e);
}

/* Did the `index`th request have this in it? Servers see headers as sent. */
static bool asked(struct fake_server *server, size_t index, const char *text)
{
	return strstr(fake_request(server, index), text) != NULL;
}

void assert_asked(struct fake_server *server, size_t index, const char *text)
{
	if (!asked(server, index, text))
		fail_msg("\"%s\" not in:\n%s", text,
			 fake_request(server, index));
}

void assert_not_asked(struct fake_server *server, size_t index,
		      const char *text)
{
	if (!*fake_request(server, index) || asked(server, index, text))
		fail_msg("\"%s\" in:\n%s", text, fake_request(server, index));
}

void lab_prepare(void)
{
	signal(SIGPIPE, SIG_IGN);
	setenv("no_proxy", "*", 1);
}
