/*
 * The handlers, and the server around them. The clients are in http_client.c.
 */
#include "http_lab.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http_certificates.h"

char pattern(size_t index)
{
	return (char)('a' + (index / 7 + index / 4096) % 26);
}

static struct lab *lab_of(const struct request *req)
{
	return req->app;
}

/* ------------------------------------------------------------ handlers */

static void small(struct request *req, struct response *res)
{
	(void)req;
	respond_header(res, "Content-Type", "text/plain");
	respond_bytes(res, 200, SPAN("small"));
}

static void large(struct request *req, struct response *res)
{
	respond_bytes(res, 200, span_make(lab_of(req)->large, LARGE));
}

static void file(struct request *req, struct response *res)
{
	respond_file(res, 200, dup(lab_of(req)->file), 0, LARGE);
}

static void cold(struct request *req, struct response *res)
{
	int fd = open(lab_of(req)->on_disk, O_RDONLY | O_CLOEXEC);

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	respond_file(res, 200, fd, 0, LARGE);
}

static void parts(struct request *req, struct response *res)
{
	static const struct http_part ends[] = { { 0, 1 }, { LARGE - 1, 1 } };

	respond_parts(res, dup(lab_of(req)->file), LARGE, ends,
		      array_size(ends), "text/plain");
}

static void short_file(struct request *req, struct response *res)
{
	respond_file(res, 200, dup(lab_of(req)->file), 0, LARGE * 2);
}

static void growing(struct request *req, struct response *res)
{
	respond_growing(res, 200, growing_keep(lab_of(req)->growing), 0, -1);
}

static void sized(struct request *req, struct response *res)
{
	respond_growing(res, 200, growing_keep(lab_of(req)->growing), 0, LARGE);
}

static void later_now(struct request *req, struct response *res)
{
	(void)req;
	respond_bytes(res, 200, SPAN("later"));
}

static void later(struct request *req, struct response *res)
{
	(void)req;
	respond_later(res, LANE_READ, 0, later_now);
}

static void say_why(struct response *res, struct request *req,
		    const struct err *e)
{
	char *text = arena_text(req->arena, span_of(err_kind_text(e->kind)));

	respond_bytes(res, e->kind == ERR_SLOW ? 408 : 400, span_of(text));
}

static void echo_now(struct request *req, struct response *res)
{
	auto_buf struct buf body = { 0 };
	char piece[1000];
	struct err e;
	ssize_t n;

	while ((n = request_read(req, piece, sizeof(piece), &e)) > 0)
		buf_add(&body, span_make(piece, (size_t)n));
	if (n < 0)
		return say_why(res, req, &e);
	respond_bytes(res, 200, arena_copy(req->arena, buf_span(&body)));
}

static void echo(struct request *req, struct response *res)
{
	(void)req;
	respond_later(res, LANE_WRITE, 0, echo_now);
}

static void count_now(struct request *req, struct response *res)
{
	auto_free char *piece = mem_alloc(LARGE);
	int64_t size = 0;
	struct err e;
	ssize_t n;

	while ((n = request_read(req, piece, LARGE, &e)) > 0)
		size += n;
	if (n < 0)
		return say_why(res, req, &e);
	respond_bytes(
		res, 200,
		span_of(arena_printf(req->arena, "%lld", (long long)size)));
}

static void count(struct request *req, struct response *res)
{
	(void)req;
	respond_later(res, LANE_UPLOAD, 0, count_now);
}

static void hold_now(struct request *req, struct response *res)
{
	struct lab *lab = lab_of(req);

	hold_mutex(&lab->lock);
	lab->holding++;
	pthread_cond_broadcast(&lab->changed);
	while (!lab->released)
		pthread_cond_wait(&lab->changed, &lab->lock);
	respond_bytes(res, 200, SPAN("held!"));
}

/* As no handler may: it has the reactor wait. */
static void stuck(struct request *req, struct response *res)
{
	hold_now(req, res);
}

static void hold(struct request *req, struct response *res)
{
	(void)req;
	respond_later(res, LANE_WRITE, 0, hold_now);
}

static void hold_for_one(struct request *req, struct response *res)
{
	(void)req;
	respond_later(res, LANE_READ, 1, hold_now);
}

static void later_for_other(struct request *req, struct response *res)
{
	(void)req;
	respond_later(res, LANE_READ, 2, later_now);
}

static int write_stream(struct request *req, struct response *res,
			struct err *e)
{
	(void)req;
	if (response_write(res, SPAN("a"), e) < 0 ||
	    response_write(res, SPAN(""), e) < 0 ||
	    response_write(res, SPAN("b"), e) < 0)
		return -1;
	return response_write(res, SPAN("c"), e);
}

static void stream_now(struct request *req, struct response *res)
{
	(void)req;
	respond_stream(res, 200, -1, write_stream);
}

static void stream(struct request *req, struct response *res)
{
	(void)req;
	respond_later(res, LANE_READ, 0, stream_now);
}

static int write_broken(struct request *req, struct response *res,
			struct err *e)
{
	(void)req;
	if (response_write(res, SPAN("a"), e) < 0)
		return -1;
	return err_set(e, ERR_IO, "as it was meant to");
}

static void broken_now(struct request *req, struct response *res)
{
	(void)req;
	respond_stream(res, 200, -1, write_broken);
}

static void broken(struct request *req, struct response *res)
{
	(void)req;
	respond_later(res, LANE_READ, 0, broken_now);
}

static void refuse(struct request *req, struct response *res)
{
	(void)req;
	respond_bytes(res, 403, SPAN("no"));
}

static void peer(struct request *req, struct response *res)
{
	respond_bytes(res, 200, arena_copy(req->arena, span_of(req->peer)));
}

static void client(struct request *req, struct response *res)
{
	respond_bytes(res, 200,
		      arena_copy(req->arena, req->client ?
						     span_of(req->client) :
						     SPAN("nobody")));
}

/* Which of these names are in the client's certificate? */
static void names(struct request *req, struct response *res)
{
	static const char *const asked[] = { "alice",  "ALICE",	   "a.test",
					     "b.test", "c.b.test", "*.b.test",
					     "al",     ".test" };
	auto_buf struct buf found = { 0 };

	for (size_t i = 0; i < array_size(asked); i++)
		if (request_client_is(req, asked[i]))
			buf_addf(&found, "%s ", asked[i]);
	respond_bytes(res, 200, arena_copy(req->arena, buf_span(&found)));
}

static void reactor(struct request *req, struct response *res)
{
	respond_bytes(
		res, 200,
		span_of(arena_printf(req->arena, "%ld", syscall(SYS_gettid))));
}

static void split(struct request *req, struct response *res)
{
	(void)req;
	respond_header(res, "X-Split", "a\r\nX-Evil: %c", 0x7f);
	respond_bytes(res, 204, SPAN("no body with this status"));
}

static void handle(struct request *req, struct response *res)
{
	static const struct {
		const char *path;
		void (*handler)(struct request *, struct response *);
	} routes[] = {
		{ "/small", small },
		{ "/large", large },
		{ "/file", file },
		{ "/short", short_file },
		{ "/growing", sized },
		{ "/unsized", growing },
		{ "/later", later },
		{ "/echo", echo },
		{ "/count", count },
		{ "/hold", hold },
		{ "/stream", stream },
		{ "/broken", broken },
		{ "/refuse", refuse },
		{ "/peer", peer },
		{ "/reactor", reactor },
		{ "/split", split },
		{ "/client", client },
		{ "/cold", cold },
		{ "/parts", parts },
		{ "/names", names },
		{ "/stuck", stuck },
		{ "/hold/one", hold_for_one },
		{ "/later/other", later_for_other },
	};

	for (size_t i = 0; i < array_size(routes); i++)
		if (span_is(req->path, routes[i].path))
			return routes[i].handler(req, res);
	respond_empty(res, 404);
}

static void done(const struct request *req, const struct http_outcome *outcome)
{
	struct lab *lab = lab_of(req);

	hold_mutex(&lab->lock);
	lab->done++;
	lab->last = *outcome;
	memcpy(lab->last_id, req->id, sizeof(lab->last_id));
	pthread_cond_broadcast(&lab->changed);
}

/* ------------------------------------------------------------ the server */

const char *lab_file(struct lab *lab, const char *name)
{
	char *path = lab->files[lab->file_count++];

	assert_true(lab->file_count <= array_size(lab->files));
	snprintf(path, sizeof(lab->files[0]), "%s/%s", lab->folder, name);
	return path;
}

void lab_certify(struct lab *lab, const char *name)
{
	certificate_write(&(struct subject){ .name = name }, lab->certificate,
			  lab->key);
}

static void make_doors(struct lab *lab)
{
	lab->certificate = lab_file(lab, "cert.pem");
	lab->key = lab_file(lab, "key.pem");
	lab_certify(lab, "first");
	lab->certificates[0] =
		(struct http_certificate){ lab->certificate, lab->key };
	lab->doors[PLAIN].address = ":0";
	lab->doors[SECURE] = (struct http_door){
		.address = "127.0.0.1:0",
		.certificates = lab->certificates,
		.certificate_count = 1,
	};
}

static void start(struct lab *lab, struct http_options options)
{
	struct err e;

	options.doors = lab->doors;
	options.door_count = LAB_DOORS;
	options.reactors = options.reactors ? options.reactors : 2;
	options.handle = handle;
	options.done = done;
	options.app = lab;
	if (http_open(&options, &lab->http, &e) < 0)
		fail_msg("%s", e.message);
}

static void write_to_disk(const char *path, const char *bytes)
{
	auto_fd int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, bytes, LARGE), LARGE);
	assert_int_equal(fsync(fd), 0);
}

static int make_file(const char *bytes, size_t size)
{
	int fd = memfd_create("lab", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	return fd;
}

int lab_open(void **state)
{
	struct lab *lab = mem_alloc(sizeof(*lab));

	*state = lab;
	snprintf(lab->folder, sizeof(lab->folder), "/tmp/http-XXXXXX");
	assert_non_null(mkdtemp(lab->folder));
	make_doors(lab);
	lab->large = mem_alloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		lab->large[i] = pattern(i);
	lab->on_disk = lab_file(lab, "file");
	write_to_disk(lab->on_disk, lab->large);
	lab->file = make_file(lab->large, LARGE);
	lab->growing_file = make_file("", 0);
	lab->growing = growing_open(dup(lab->growing_file), -1);
	pthread_mutex_init(&lab->lock, NULL);
	cond_open(&lab->changed);
	start(lab, (struct http_options){ 0 });
	return 0;
}

int lab_close(void **state)
{
	struct lab *lab = *state;

	lab_release(lab);
	http_close(&lab->http);
	growing_drop(&lab->growing);
	close(lab->growing_file);
	close(lab->file);
	free(lab->large);
	for (unsigned i = 0; i < lab->file_count; i++)
		unlink(lab->files[i]);
	rmdir(lab->folder);
	pthread_cond_destroy(&lab->changed);
	pthread_mutex_destroy(&lab->lock);
	free(lab);
	return 0;
}

void lab_reopen(struct lab *lab, const struct http_options *options)
{
	http_close(&lab->http);
	start(lab, *options);
}

void lab_grow(struct lab *lab, int64_t length)
{
	int64_t from = growing_length(lab->growing);

	assert_int_equal(pwrite(lab->growing_file, lab->large + from,
				(size_t)(length - from), from),
			 length - from);
	growing_extend(lab->growing, length);
}

void lab_release(struct lab *lab)
{
	hold_mutex(&lab->lock);
	lab->released = true;
	pthread_cond_broadcast(&lab->changed);
}

static void await(struct lab *lab, const unsigned *number, unsigned count)
{
	int64_t deadline_ms = clock_ms() + PATIENCE_MS;

	while (*number < count)
		if (!cond_wait_until(&lab->changed, &lab->lock, deadline_ms))
			fail_msg("only %u of %u", *number, count);
}

void lab_await_holding(struct lab *lab, unsigned number)
{
	hold_mutex(&lab->lock);
	await(lab, &lab->holding, number);
}

struct http_outcome lab_await_done(struct lab *lab, unsigned number)
{
	hold_mutex(&lab->lock);
	await(lab, &lab->done, number);
	return lab->last;
}
