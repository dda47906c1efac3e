/*
 * The upstreams' answers are queued by the test, in the order of the requests.
 */
#include "mirror_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "oci/hash.h"

enum { WAIT_MS = 10000 };

struct mirror_upstream_rules upstream_rules[2];
struct mirror_rules rules;

struct upstream *upstream_at(const char *name, const struct fake_server *server)
{
	const char *urls[] = { fake_url(server) };
	struct upstream_options options = {
		.name = name,
		.urls = urls,
		.url_count = 1,
		.answer_ms = 1500,
		.give_up_ms = 300,
	};
	struct upstream *upstream;
	struct err e;

	assert_int_equal(upstream_open(&options, &upstream, &e), 0);
	return upstream;
}

void move_hub(struct lab *lab, const char *const *urls, size_t count)
{
	struct upstream_options options = {
		.name = "docker.io",
		.urls = urls,
		.url_count = count,
	};
	struct upstream *moved;
	struct err e;

	assert_int_equal(upstream_open(&options, &moved, &e), 0);
	mirror_replace(lab->mirror, 0, moved);
	upstream_close(&moved);
}

static struct mirror_upstream mirrored(const char *name,
				       const struct fake_server *server)
{
	return (struct mirror_upstream){ name, upstream_at(name, server) };
}

void lab_start(struct lab *lab)
{
	struct mirror_options options = {
		.upstreams = lab->entries,
		.upstream_count = array_size(lab->entries),
	};
	struct err e;

	assert_int_equal(store_open(lab->data, &lab->store, &e), 0);
	lab->entries[0] = mirrored("docker.io", lab->server);
	lab->entries[1] = mirrored("ghcr.io", lab->other);
	options.store = lab->store;
	lab->mirror = mirror_open(&options);
}

void lab_stop(struct lab *lab)
{
	mirror_close(&lab->mirror);
	for (size_t i = 0; i < array_size(lab->entries); i++)
		upstream_close(&lab->entries[i].upstream);
	store_close(&lab->store);
}

int lab_open(void **state)
{
	struct lab *lab = mem_alloc(sizeof(*lab));

	snprintf(lab->data, sizeof(lab->data), "/tmp/mirror-test.XXXXXX");
	assert_non_null(mkdtemp(lab->data));
	lab->server = fake_open("127.0.0.1");
	lab->other = fake_open("127.0.0.1");
	lab->arena = arena_open();
	lab->blob = mem_alloc(BLOB_SIZE);
	for (size_t i = 0; i < BLOB_SIZE; i++)
		lab->blob[i] = (char)('a' + i / 7 % 26);
	lab->digest = hash_of(DIGEST_SHA256, span_make(lab->blob, BLOB_SIZE));
	upstream_rules[0] = upstream_rules[1] = (struct mirror_upstream_rules){
		.tag_lifetime_ms = 300000,
	};
	rules = (struct mirror_rules){
		.default_upstream = "docker.io",
		.patience_ms = 60000, /* however slow the machine is */
		.upstreams = upstream_rules,
	};
	pthread_mutex_init(&lab->lock, NULL);
	cond_open(&lab->changed);
	lab_start(lab);
	*state = lab;
	return 0;
}

int lab_close(void **state)
{
	struct lab *lab = *state;
	char command[128];

	while (lab->gates_opened < lab->gates_closed)
		open_gate(lab);
	if (lab->mirror)
		lab_stop(lab);
	fake_close(&lab->server);
	fake_close(&lab->other);
	arena_close(&lab->arena);
	snprintf(command, sizeof(command), "rm -rf %s", lab->data);
	assert_int_equal(system(command), 0);
	pthread_cond_destroy(&lab->changed);
	pthread_mutex_destroy(&lab->lock);
	free(lab->blob);
	free(lab);
	return 0;
}

static void wait_at_gate(void *arg)
{
	const struct gate *gate = arg;
	struct lab *lab = gate->lab;

	hold_mutex(&lab->lock);
	while (!gate->open)
		pthread_cond_wait(&lab->changed, &lab->lock);
}

void close_gate(struct lab *lab, struct pool *pool)
{
	enum { MORE_THAN_THREADS = 100 };
	struct gate *gate = &lab->gates[lab->gates_closed++];

	gate->lab = lab;
	for (int i = 0; i < MORE_THAN_THREADS; i++)
		pool_run(pool, wait_at_gate, gate);
}

void open_gate(struct lab *lab)
{
	hold_mutex(&lab->lock);
	lab->gates[lab->gates_opened++].open = true;
	pthread_cond_broadcast(&lab->changed);
}

struct mirror_target hub(const char *name, bool bare)
{
	struct mirror_target target = { .rules = &rules, .bare = bare };

	strcpy(target.repository.upstream, "docker.io");
	strcpy(target.repository.name.s, name);
	return target;
}

struct mirror_target ghcr(const char *name)
{
	struct mirror_target target = { .rules = &rules };

	strcpy(target.repository.upstream, "ghcr.io");
	strcpy(target.repository.name.s, name);
	return target;
}

struct reference tag(const char *name)
{
	struct reference reference = { .kind = REFERENCE_TAG };

	strcpy(reference.tag.s, name);
	return reference;
}

const char *image(struct lab *lab, const char *note)
{
	struct digest_text digest = digest_text(&lab->digest);

	return arena_printf(
		lab->arena,
		"{\"schemaVersion\":2,\"mediaType\":"
		"\"application/vnd.oci.image.manifest.v1+json\",\"config\":"
		"{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		"\"digest\":\"%s\",\"size\":%d},\"layers\":[],"
		"\"annotations\":{\"note\":\"%s\"}}",
		digest.s, BLOB_SIZE, note);
}

const char *index_of(struct lab *lab, const char *manifest)
{
	struct digest digest = hash_of(DIGEST_SHA256, span_of(manifest));

	return arena_printf(
		lab->arena,
		"{\"schemaVersion\":2,\"mediaType\":"
		"\"application/vnd.oci.image.index.v1+json\",\"manifests\":"
		"[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\""
		",\"digest\":\"%s\",\"size\":%zu}]}",
		digest_text(&digest).s, strlen(manifest));
}

void answer_head_at(struct fake_server *server, const char *manifest)
{
	struct digest digest = hash_of(DIGEST_SHA256, span_of(manifest));

	fake_answer(server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nContent-Type: "
		    "application/vnd.oci.image.manifest.v1+json\r\n"
		    "Docker-Content-Digest: %s\r\n\r\n",
		    strlen(manifest), digest_text(&digest).s);
}

void answer_head(struct lab *lab, const char *manifest)
{
	answer_head_at(lab->server, manifest);
}

void answer_get_at(struct fake_server *server, const char *manifest)
{
	fake_answer(server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nContent-Type: "
		    "application/vnd.oci.image.manifest.v1+json\r\n\r\n%s",
		    strlen(manifest), manifest);
}

void answer_get(struct lab *lab, const char *manifest)
{
	answer_get_at(lab->server, manifest);
}

void answer_blob(struct lab *lab, const char *bytes)
{
	fake_answer(lab->server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s",
		    BLOB_SIZE, BLOB_SIZE, bytes);
}

void answer_refusal_at(struct fake_server *server, const char *status)
{
	fake_answer(server, FAKE_KEEP,
		    "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status);
}

void answer_refusal(struct lab *lab, const char *status)
{
	answer_refusal_at(lab->server, status);
}

void pull(struct lab *lab, const char *tag_name, struct manifest_view *out)
{
	struct mirror_target target = hub("library/app", false);
	struct reference reference = tag(tag_name);
	struct err e;

	if (pull_manifest(lab->mirror, &target, &reference, lab->arena, out,
			  &e) < 0)
		fail_msg("%s", e.message);
}

void cache_image(struct lab *lab)
{
	struct manifest_view view;

	answer_head(lab, image(lab, "1"));
	answer_get(lab, image(lab, "1"));
	pull(lab, "1", &view);
}

enum growing_state read_view(struct lab *lab, struct blob_view *view,
			     int64_t *right_out)
{
	struct growing *growing = view->growing;
	int64_t deadline = clock_ms() + WAIT_MS;
	auto_free char *got = mem_alloc(BLOB_SIZE);
	int fd = growing ? growing_fd(growing) : view->fd;
	enum growing_state state = GROWING_WHOLE;

	while (growing && (state = growing_state(growing)) == GROWING)
		assert_true(growing_wait(growing, growing_length(growing),
					 deadline));
	ssize_t n = pread(fd, got, BLOB_SIZE, 0);
	*right_out = growing ? growing_length(growing) : n;
	if (state == GROWING_WHOLE)
		assert_memory_equal(got, lab->blob, (size_t)n);
	return state;
}

enum growing_state pull_bytes(struct lab *lab, int64_t *length_out)
{
	struct mirror_target target = hub("library/app", false);
	struct blob_view view;
	struct err e;

	if (pull_blob(lab->mirror, &target, &lab->digest, &view, &e) < 0)
		fail_msg("%s", e.message);
	enum growing_state state = read_view(lab, &view, length_out);
	blob_view_close(&view);
	return state;
}

void cache_whole_image(struct lab *lab)
{
	int64_t length;

	cache_image(lab);
	answer_blob(lab, lab->blob);
	assert_int_equal(pull_bytes(lab, &length), GROWING_WHOLE);
	lab_stop(lab); /* with this, what arrives has arrived */
	lab_start(lab);
}
