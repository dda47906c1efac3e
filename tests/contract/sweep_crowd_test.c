/*
 * Many clients push, pull and delete the same few blobs at once while another
 * process sweeps without a pause and waits for no grace: nobody is ever told
 * that something is missing, and nothing is left behind.
 */
#include "sweep_lab.h"

#include <unistd.h>

#include "base/thread.h"

enum { CLIENTS = 4, ROUNDS = 60 };

struct client {
	struct thread thread;
	struct lab *lab;
	int number;
	const char *failed; /* at what, or null */
};

/* HEAD, and if it is not there, the whole of it. */
static int blob_bring(struct lab *lab, struct repository at, const char *bytes)
{
	struct digest digest = digest_of(bytes);
	int64_t size;
	struct err e;

	if (store_peek_size(lab->store, &at, &digest, &size, &e) == 0)
		return 0;
	if (e.kind == ERR_NOT_HERE &&
	    store_promise(lab->store, &at, &digest, &e) == 0)
		return 0;
	if (e.kind != ERR_BLOB_UNKNOWN)
		return -1;
	return lab_upload(lab, at, bytes, bytes, &e);
}

static bool blob_is_here(struct lab *lab, struct repository at,
			 const char *bytes)
{
	struct digest digest = digest_of(bytes);
	struct blob_place place;
	struct err e;

	if (store_pull_blob(lab->store, &at, &digest, &place, &e) < 0)
		return false;
	close(place.fd);
	return true;
}

static int image_drop(struct lab *lab, struct repository at, const char *config)
{
	struct digest digest = image_of(config, "shared");
	struct reference reference = reference_to_digest(&digest);
	struct err e;

	return store_drop_manifest(lab->store, &at, &reference, NULL, &e);
}

static const char *round_fails(struct client *client, int round)
{
	struct lab *lab = client->lab;
	struct repository at = local(round % 2 ? "app" : "other");
	char own[32];
	struct err e;

	snprintf(own, sizeof(own), "config of %d", client->number);
	if (blob_bring(lab, at, "shared") < 0 || blob_bring(lab, at, own) < 0)
		return "blobs";
	if (lab_put_image(lab, at, own + 10, own, "shared", &e) < 0)
		return "manifest";
	if (!blob_is_here(lab, at, "shared") || !blob_is_here(lab, at, own))
		return "pull";
	if (round < ROUNDS - 2 && image_drop(lab, at, own) < 0)
		return "delete";
	return NULL;
}

static void client_main(void *arg)
{
	struct client *client = arg;

	for (int i = 0; i < ROUNDS && !client->failed; i++)
		client->failed = round_fails(client, i);
}

static void nothing_breaks_and_nothing_is_left(void **state)
{
	struct lab *lab = *state;
	struct client clients[CLIENTS];
	uint64_t swept = 0;

	lab_open(lab);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ .lab = lab, .number = i };
		thread_start(&clients[i].thread, "client", client_main,
			     &clients[i]);
	}
	for (int i = 0; i < ROUNDS; i++)
		swept += sweep_now(lab).blobs.number;
	for (int i = 0; i < CLIENTS; i++) {
		thread_join(&clients[i].thread);
		if (clients[i].failed)
			fail_msg("client %d: %s", i, clients[i].failed);
	}

	sweep_now(lab);
	assert_true(swept > 0);
	assert_int_equal(lab_files(lab, "blobs"), 1 + CLIENTS);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM blob"),
			 1 + CLIENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(nothing_breaks_and_nothing_is_left),
		ELSEWHERE_TEST(nothing_breaks_and_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
