/*
 * When something was put and last pulled, in registry time.
 *
 * A pull never waits for a write: it leaves a note in memory, a number in a
 * table of atomics, and the notes are written together, every minute or so.
 * There is one note for any number of pulls in between. So many different
 * ones that they have no room in the table do not happen; if they do, some
 * stay as old as they were.
 */
#include "meta/inside.h"

#include <stdatomic.h>

#define PROBES 16
#define BATCH 256 /* notes that are written in one transaction, or */
#define ROWS 4096 /* as many as stamp so many rows */

/* ------------------------------------------------------------------ notes */

static size_t place_of(uint64_t use)
{
	return (use * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
}

void meta_use(struct meta *meta, uint64_t use)
{
	_Atomic uint64_t *notes = meta_notes(meta)->at;
	size_t place = place_of(use);

	for (size_t i = 0; i < PROBES; i++) {
		_Atomic uint64_t *at = &notes[(place + i) % NOTES];
		uint64_t there = atomic_load_explicit(at, memory_order_relaxed);

		if (there == 0 &&
		    atomic_compare_exchange_strong(at, &there, use))
			return;
		if (there == use)
			return;
	}
}

bool use_noted(struct meta *meta, uint64_t use)
{
	_Atomic uint64_t *notes = meta_notes(meta)->at;
	size_t place = place_of(use);

	for (size_t i = 0; i < PROBES; i++)
		if (notes[(place + i) % NOTES] == use)
			return true;
	return false;
}

/* ---------------------------------------------------------------- writing */

int stamp_put(struct db *db, const struct repository *repository,
	      int64_t manifest, struct err *e)
{
	return db_do(db,
		     "INSERT INTO stamp (manifest, cached, pushed, used)"
		     " VALUES ($1, $2, " REGISTRY_TIME ", " REGISTRY_MS ")"
		     " ON CONFLICT (manifest) DO UPDATE SET"
		     " pushed = excluded.pushed, used = excluded.used",
		     DB_ARGS(db_number(manifest),
			     db_number(!repository_is_local(repository))),
		     e);
}

int stamp_use(struct db *db, int64_t manifest, struct err *e)
{
	return (int)db_change(
		db,
		"WITH RECURSIVE below (id) AS (SELECT $1 UNION"
		" SELECT manifest.id FROM below"
		" JOIN named ON named.manifest = below.id AND named.kind = 3"
		" JOIN manifest ON manifest.repository = named.repository"
		" AND manifest.digest = named.digest)"
		" UPDATE stamp SET used = " REGISTRY_MS
		" WHERE manifest IN (SELECT id FROM below)",
		DB_ARGS(db_number(manifest)), e);
}

/* 1: what it points at; 0: it is gone; -1. */
static int tag_use(struct db *db, int64_t tag, int64_t *manifest_out,
		   struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db,
			    "UPDATE tag SET pulled = " REGISTRY_TIME
			    " WHERE id = $1 RETURNING manifest",
			    DB_ARGS(db_number(tag)), &row, e);

	if (found == 1)
		*manifest_out = row_number(&row, 0);
	return found;
}

/* How many rows it stamped, or -1. */
static int use_write(struct db *db, uint64_t use, struct err *e)
{
	int64_t manifest = (int64_t)(use / 2);
	int found = use % 2 ? tag_use(db, manifest, &manifest, e) : 1;

	if (found <= 0)
		return found;
	return stamp_use(db, manifest, e);
}

struct batch {
	_Atomic uint64_t *at[BATCH]; /* of each the note */
	uint64_t uses[BATCH];
	size_t count;
	size_t first; /* that is not written yet */
	size_t next;  /* that one transaction has left to the next */
};

static int batch_write(struct db *db, void *arg, struct err *e)
{
	struct batch *batch = arg;

	batch->next = batch->first;
	for (int rows = 0; batch->next < batch->count && rows < ROWS;) {
		int stamped = use_write(db, batch->uses[batch->next++], e);

		if (stamped < 0)
			return -1;
		rows += stamped;
	}
	return 0;
}

/* What is written needs no note any more. */
static int batch_flush(struct meta *meta, struct batch *batch, struct err *e)
{
	while (batch->first < batch->count) {
		if (meta_write_soon(meta, batch_write, batch, e) < 0)
			return -1;
		for (; batch->first < batch->next; batch->first++)
			atomic_compare_exchange_strong(
				batch->at[batch->first],
				&batch->uses[batch->first], 0);
	}
	batch->first = batch->count = 0;
	return 0;
}

int meta_use_flush(struct meta *meta, struct err *e)
{
	_Atomic uint64_t *notes = meta_notes(meta)->at;
	struct batch batch = { .count = 0 };

	thread_may_wait("meta_use_flush");
	for (size_t i = 0; i < NOTES; i++) {
		uint64_t use = notes[i];

		if (use) {
			batch.at[batch.count] = &notes[i];
			batch.uses[batch.count++] = use;
		}
		if (batch.count == BATCH && batch_flush(meta, &batch, e) < 0)
			return -1;
	}
	return batch_flush(meta, &batch, e);
}
