/*
 * What is acknowledged survives the process, whenever it ends: clients in a
 * child push without pause and say what was acknowledged, the child is
 * killed, and the parent looks at what is there. Also: of many that start at
 * once on one directory, one serves.
 */
#include "store_lab.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "meta/db.h"

enum { CLIENTS = 4, KILLS = 8 };

/* ------------------------------------------------- in the child: no asserts */

struct client {
	struct thread thread;
	struct lab *lab;
	int number;
	int acknowledgements; /* a pipe */
};

/* What client `number` pushes as its `round`-th image. */
static void layer_text(int number, int round, char *out, size_t room)
{
	snprintf(out, room, "layer %d of client %d", round, number);
}

/* One image: two blobs and a manifest. */
static int image_push(struct client *client, int round, struct err *e)
{
	struct repository app = { .name = { "app" } };
	char layer[64], tag[32];

	layer_text(client->number, round, layer, sizeof(layer));
	snprintf(tag, sizeof(tag), "v%d-%d", client->number, round);
	if (lab_upload(client->lab, app, "config", "config", e) < 0 ||
	    lab_upload(client->lab, app, layer, layer, e) < 0)
		return -1;
	return lab_put_image(client->lab, app, tag, "config", layer, e);
}

static void push_on(void *arg)
{
	struct client *client = arg;
	struct err e;

	for (int round = 0;; round++) {
		int acknowledged[2] = { client->number, round };

		if (image_push(client, round, &e) < 0)
			_exit(1);
		if (write(client->acknowledgements, acknowledged,
			  sizeof(acknowledged)) < 0)
			_exit(1);
	}
}

static const char half[] = "half a layer";

/* An upload that goes on later; says its key once the write was acknowledged.
 */
static int upload_leave(struct client *client, char *key_out, size_t room,
			struct err *e)
{
	struct repository app = { .name = { "app" } };
	struct incoming *incoming;

	if (incoming_open_upload(client->lab->store, &app, &incoming, e) < 0)
		return -1;
	snprintf(key_out, room, "%s", incoming_key(incoming));
	int failed = incoming_write(incoming, span_of(half), e);
	incoming_leave(&incoming);
	return failed;
}

static void leave_on(void *arg)
{
	struct client *client = arg;
	char key[33];
	struct err e;

	for (;;) {
		if (upload_leave(client, key, sizeof(key), &e) < 0 ||
		    write(client->acknowledgements, key, sizeof(key)) < 0)
			_exit(1);
	}
}

static void child_main(struct lab *lab, void (*work)(void *),
		       int acknowledgements)
{
	static struct client clients[CLIENTS];
	struct err e;

	if (store_open(lab->path, &lab->store, &e) < 0)
		_exit(1);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){
			.lab = lab,
			.number = i,
			.acknowledgements = acknowledgements,
		};
		thread_start(&clients[i].thread, "client", work, &clients[i]);
	}
	for (;;)
		pause();
}

/* ------------------------------------------------------------ in the parent */

/*
 * Reads acknowledgements, kills the child after `count` of them, and reads
 * what it had still said; the highest round of each client goes to `rounds`.
 */
static void kill_after(pid_t child, int pipe, int count, int *rounds)
{
	int acknowledged[2];

	for (int i = 0; i < CLIENTS; i++)
		rounds[i] = -1;
	while (read(pipe, acknowledged, sizeof(acknowledged)) ==
	       sizeof(acknowledged)) {
		rounds[acknowledged[0]] = acknowledged[1];
		if (--count == 0)
			kill(child, SIGKILL);
	}
}

static void expect_all(struct lab *lab, const int *rounds)
{
	char layer[64], tag[32];

	for (int number = 0; number < CLIENTS; number++) {
		for (int round = 0; round <= rounds[number]; round++) {
			layer_text(number, round, layer, sizeof(layer));
			snprintf(tag, sizeof(tag), "v%d-%d", number, round);
			assert_true(lab_has(lab, local("app"), layer));
			assert_true(lab_has_manifest(lab, local("app"),
						     by_tag(tag)));
		}
	}
}

/* Every row of a blob has its file, also those nobody was told about. */
static void expect_no_row_without_its_file(struct lab *lab)
{
	int64_t rows = lab_number(lab, "SELECT count(*) FROM blob");

	for (int number = 0; number < CLIENTS; number++) {
		char layer[64];

		for (int round = 0; round < 1000; round++) {
			struct digest digest;
			struct meta_blob blob;
			struct err e;

			layer_text(number, round, layer, sizeof(layer));
			digest = digest_of(layer);
			if (meta_blob_find(lab->meta, &digest, &blob, &e) < 0)
				break;
			assert_true(lab_has(lab, local("app"), layer));
			rows--;
		}
	}
	assert_true(lab_has(lab, local("app"), "config"));
	assert_int_equal(rows, 1);
}

static void what_was_acknowledged_survives_a_kill_at_any_moment(void **state)
{
	struct lab *lab = *state;
	int rounds[CLIENTS], pipes[2];

	for (int i = 0; i < KILLS; i++) {
		assert_int_equal(pipe(pipes), 0);
		pid_t child = fork();
		if (child == 0)
			child_main(lab, push_on, pipes[1]);
		close(pipes[1]);
		kill_after(child, pipes[0], 1 + i * 7, rounds);
		close(pipes[0]);
		assert_int_equal(waitpid(child, NULL, 0), child);

		lab_open(lab);
		expect_all(lab, rounds);
		expect_no_row_without_its_file(lab);
		assert_int_equal(lab_files(lab, "incoming"),
				 lab_number(lab,
					    "SELECT count(*) FROM session"));
		lab_close(lab);
	}
}

/* The same for keys: returns how many there are. */
static int kill_after_keys(pid_t child, int pipe, int count, char (*keys)[33],
			   int most)
{
	int n = 0;

	while (n < most &&
	       read(pipe, keys[n], sizeof(keys[n])) == sizeof(keys[n])) {
		if (++n == count)
			kill(child, SIGKILL);
	}
	return n;
}

static void expect_upload(struct lab *lab, const char *key)
{
	struct repository app = local("app");
	struct incoming *incoming;
	struct err e;

	OK(incoming_resume_upload(lab->store, &app, span_of(key), &incoming,
				  &e),
	   e);
	assert_int_equal(incoming_length(incoming), strlen(half));
	incoming_leave(&incoming);
}

static void what_came_of_an_upload_survives_a_kill_at_any_moment(void **state)
{
	enum { MOST = 10000 };
	struct lab *lab = *state;
	auto_free char(*keys)[33] = mem_alloc(MOST * sizeof(*keys));
	int pipes[2];

	for (int i = 0; i < KILLS; i++) {
		assert_int_equal(pipe(pipes), 0);
		pid_t child = fork();
		if (child == 0)
			child_main(lab, leave_on, pipes[1]);
		close(pipes[1]);
		int count =
			kill_after_keys(child, pipes[0], 1 + i * 7, keys, MOST);
		close(pipes[0]);
		assert_int_equal(waitpid(child, NULL, 0), child);

		lab_open(lab);
		assert_true(count > i * 7);
		for (int k = 0; k < count; k++)
			expect_upload(lab, keys[k]);
		lab_close(lab);
	}
}

/* ------------------------------------------------------------ starts at once
 */

enum { STARTS = 8 };

/* 's' it serves, 'l' it is locked out, 'x' anything else; then waits. */
static void start_main(const char *path, int go, int answer)
{
	struct store *store;
	struct err e;
	char byte;

	if (read(go, &byte, 1) != 0) /* ends for all at once */
		_exit(1);
	int failed = store_open(path, &store, &e);
	byte = failed ? (e.kind == ERR_LOCKED ? 'l' : 'x') : 's';
	if (write(answer, &byte, 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void of_many_that_start_at_once_one_serves(void **state)
{
	struct lab *lab = *state;
	int go[2], answer[2], serving = 0;
	pid_t children[STARTS];
	char path[96], byte;

	snprintf(path, sizeof(path), "%s/not/yet/there", lab->path);
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(answer), 0);
	for (int i = 0; i < STARTS; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			close(go[1]);
			start_main(path, go[0], answer[1]);
		}
	}
	close(go[1]);
	for (int i = 0; i < STARTS; i++) {
		assert_int_equal(read(answer[0], &byte, 1), 1);
		assert_int_not_equal(byte, 'x');
		serving += byte == 's';
	}
	for (int i = 0; i < STARTS; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	assert_int_equal(serving, 1);
	close(go[0]);
	close(answer[0]);
	close(answer[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(what_was_acknowledged_survives_a_kill_at_any_moment),
		LAB_TEST(what_came_of_an_upload_survives_a_kill_at_any_moment),
		LAB_TEST(of_many_that_start_at_once_one_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
