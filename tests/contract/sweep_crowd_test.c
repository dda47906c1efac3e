/*
 * Many clients push, pull and delete the same few blobs at once while another
 * process sweeps without a pause and waits for no grace: nobody is ever told
 * that something is missing, and nothing is left behind.
 */
#include "sweep_lab.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

enum {
	CLIENTS = 4,
	ENOUGH = 20, /* blobs that were swept */
	ROUNDS = 16, /* of clients, for each sweep */
	PROMISE_MS = 990
};

struct client {
	struct thread thread;
	struct lab *lab;
	atomic_bool *over;
	sem_t *rounds; /* that clients may still do */
	int number;
	int failed;
	struct err why;
};

/* HEAD, and if it is not there, the whole of it. */
static int blob_bring(struct lab *lab, struct repository at, const char *bytes,
		      struct err *e)
{
	struct digest digest = digest_of(bytes);
	int64_t size;

	if (store_peek_size(lab->store, &at, &digest, &size, e) == 0)
		return 0;
	if (e->kind == ERR_NOT_HERE &&
	    store_promise(lab->store, &at, &digest, e) == 0)
		return 0;
	if (e->kind != ERR_BLOB_UNKNOWN)
		return -1;
	return lab_upload(lab, at, bytes, bytes, e);
}

static int blob_pull(struct lab *lab, struct repository at, const char *bytes,
		     struct err *e)
{
	struct digest digest = digest_of(bytes);
	struct blob_place place;

	if (store_pull_blob(lab->store, &at, &digest, &place, e) < 0)
		return -1;
	close(place.fd);
	return 0;
}

static int image_drop(struct lab *lab, struct repository at, const char *config,
		      struct err *e)
{
	struct digest digest = image_of(config, "shared");
	struct reference reference = reference_to_digest(&digest);

	return store_drop_manifest(lab->store, &at, &reference, NULL, e);
}

/*
 * What waits for its manifest for over a second may be swept: whoever was so
 * slow begins again.
 */
static int image_bring(struct lab *lab, struct repository at, const char *tag,
		       const char *own, struct err *e)
{
	int64_t began;
	int failed;

	do {
		began = clock_ms();
		failed = blob_bring(lab, at, "shared", e) < 0 ||
			 blob_bring(lab, at, own, e) < 0 ||
			 lab_put_image(lab, at, tag, own, "shared", e) < 0;
	} while (failed && e->kind == ERR_MANIFEST_BLOB_UNKNOWN &&
		 clock_ms() - began >= PROMISE_MS);
	return failed ? -1 : 0;
}

static int image_push(struct client *client, struct repository at,
		      struct err *e)
{
	struct lab *lab = client->lab;
	char own[32], tag[16];

	snprintf(own, sizeof(own), "config of %d", client->number);
	snprintf(tag, sizeof(tag), "v%d", client->number);
	if (image_bring(lab, at, tag, own, e) < 0 ||
	    blob_pull(lab, at, "shared", e) < 0 ||
	    blob_pull(lab, at, own, e) < 0)
		return -1;
	return *client->over ? 0 : image_drop(lab, at, own, e);
}

/* When it is over, an image of its own stays in each repository. */
static void client_main(void *arg)
{
	struct client *client = arg;
	bool last;

	do {
		sem_wait(client->rounds);
		last = *client->over;
		client->failed =
			image_push(client, local("app"), &client->why) < 0 ||
			image_push(client, local("other"), &client->why) < 0;
	} while (!client->failed && !last);
}

static void allow(sem_t *rounds, int count)
{
	while (count--)
		sem_post(rounds);
}

/*
 * The engine's lock is not handed over in turn, so clients without end could
 * keep a sweep elsewhere from it. No asserts while they run: one that failed
 * would leave them behind.
 */
static int sweep_enough(struct lab *lab, sem_t *rounds, struct err *e)
{
	int64_t deadline = clock_ms() + 60000;
	struct store_swept swept;

	for (uint64_t sum = 0; sum < ENOUGH; sum += swept.blobs.number) {
		allow(rounds, ROUNDS);
		if (sweep_try(lab, (struct store_sweep){ 0 }, &swept, e) < 0)
			return -1;
		if (clock_ms() > deadline)
			return err_set(e, ERR_BUSY, "too little was swept");
	}
	return 0;
}

static void nothing_breaks_and_nothing_is_left(void **state)
{
	struct lab *lab = *state;
	struct client clients[CLIENTS];
	atomic_bool over = false;
	sem_t rounds;
	struct err e;

	lab_open(lab);
	sem_init(&rounds, 0, 0);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){
			.lab = lab,
			.over = &over,
			.rounds = &rounds,
			.number = i,
		};
		thread_start(&clients[i].thread, "client", client_main,
			     &clients[i]);
	}
	int failed = sweep_enough(lab, &rounds, &e);
	over = true;
	allow(&rounds, 2 * CLIENTS);
	for (int i = 0; i < CLIENTS; i++)
		thread_join(&clients[i].thread);
	sem_destroy(&rounds);
	for (int i = 0; i < CLIENTS; i++)
		OK(clients[i].failed ? -1 : 0, clients[i].why);
	OK(failed, e);

	sweep_now(lab);
	assert_int_equal(lab_files(lab, "blobs"), 1 + CLIENTS);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM blob"),
			 1 + CLIENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(nothing_breaks_and_nothing_is_left),
		KEEPER_TEST(nothing_breaks_and_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
