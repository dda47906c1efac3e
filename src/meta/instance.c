/*
 * By what others know this registry. It is chosen when it is first asked for,
 * so that a copy is another registry.
 */
#include "base/hex.h"
#include "meta/inside.h"

/* False if there is none yet, or it cannot be read. */
static bool instance_find(struct meta *meta, struct meta_instance *out)
{
	struct err e;
	auto_of(reader) struct reader *reader = reader_take(meta, &e);
	if (!reader)
		return false;

	auto_rows struct rows row;
	return db_find(reader->db, "SELECT instance FROM state", DB_NO_ARGS,
		       &row, &e) == 1 &&
	       span_copy(row_text(&row, 0), out->s, sizeof(out->s)) && *out->s;
}

static int instance_keep(struct db *db, void *arg, struct err *e)
{
	const struct meta_instance *instance = arg;

	return db_do(db, "UPDATE state SET instance = $1 WHERE instance = ''",
		     DB_ARGS(db_text(instance->s)), e);
}

void meta_instance(struct meta *meta, struct meta_instance *out)
{
	uint8_t random[sizeof(out->s) / 2];
	struct meta_instance chosen;
	struct err e;

	thread_may_wait("meta_instance");
	if (instance_find(meta, out))
		return;
	random_bytes(random, sizeof(random));
	hex_print(random, sizeof(random), chosen.s);
	if (meta_write(meta, instance_keep, &chosen, &e) < 0 ||
	    !instance_find(meta, out))
		*out = chosen;
}
