/*
 * Numbers of sessions, and so of incarnations. They are set aside in blocks,
 * durably, before the first of a block is given out: so none is used again,
 * although a session's own row is not durable at once. What is left of a
 * block at the end of the process is lost.
 */
#include "meta/inside.h"

#define BLOCK 4096

static int block_take(struct db *db, void *arg, struct err *e)
{
	uint64_t *first = arg;
	auto_rows struct rows row;
	int found = db_find(db,
			    "UPDATE state SET next_id = next_id + $1"
			    " RETURNING next_id",
			    DB_ARGS(db_number(BLOCK)), &row, e);

	if (found == 1)
		*first = (uint64_t)row_number(&row, 0) - BLOCK;
	return found < 0 ? -1 : 0;
}

int id_take(struct meta *meta, uint64_t *out, struct err *e)
{
	struct ids *ids = meta_ids(meta);
	uint64_t first = 0;

	hold_mutex(&ids->lock);
	if (ids->next == ids->end) {
		if (meta_write(meta, block_take, &first, e) < 0)
			return -1;
		ids->next = first;
		ids->end = first + BLOCK;
	}
	*out = ids->next++;
	return 0;
}
