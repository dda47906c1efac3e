/*
 * scrub_lab.h: words about damage, and who finds it. Every test runs with
 * files and with blobs in memory, unless it says otherwise; both have faults
 * in front.
 */
#pragma once
#include "sweep_lab.h"

/* What was told of the last finding. */
extern struct told {
	int kind;
	bool pushed;
	struct repository_text repository;
	uint64_t others;
	char path[128];
	struct digest digest;
} told;

struct store_verified verify_as(struct lab *, enum lab_party,
				struct store_verify);
struct store_verified verify_with(struct lab *, struct store_verify);
struct store_verified verify(struct lab *);

bool is_clean(struct lab *);
void assert_found_one(struct lab *, int kind);

/* What becomes of the file of a blob: another byte, two bytes, nothing. */
void damage(struct lab *, const char *bytes);
void shorten(struct lab *, const char *bytes);
void lose(struct lab *, const char *bytes);
/* It is where it was before it was lost. */
void restore(struct lab *, const char *bytes);
/* All of them. */
void damage_manifests(struct lab *);

enum err_kind pull_fails_as(struct lab *, struct repository, const char *bytes);

/* "config" and "layer" in "app", and their image "v1". */
void push_image(struct lab *);

int setup_files(void **state);
int setup_memory(void **state);
int setup_clients(void **state);
int setup_keeper(void **state);

#define WITH(backend, test)                                                    \
	{                                                                      \
#test ": " #backend, test, setup_##backend, lab_teardown, NULL \
	}
#define WITH_ALL(test) WITH(files, test), WITH(memory, test)
/* Files, and one or the other party is elsewhere. */
#define WITH_PARTIES(test) WITH(clients, test), WITH(keeper, test)
