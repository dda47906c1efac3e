/*
 * Values are compared, and copied, as they are written: so nothing of their
 * types needs to be known here.
 */
#include "config/config.h"
#include "config/settings.h"

/* A key of struct config: a value, or a list with all that is in it. */
struct part {
	const struct key *key;
	struct buf *text;	 /* what is fixed of it, a line each */
	struct settings *target; /* where it is copied */
};

static bool is_part(const struct part *part, const struct key *key)
{
	const struct list *list = part->key->fills;

	return list ? key_list(key) == list : key == part->key;
}

static void print_fixed(struct walk *walk, const struct key *key,
			const void *slot)
{
	const struct part *part = walk->arg;
	auto_buf struct buf value = { 0 };

	if (!is_part(part, key) || (!key->fixed && !key->fixed_set))
		return;
	bool is_set = key_print(key, slot, &value);
	key_spell(key, PLACE_FILE, walk->index, part->text);
	buf_addf(part->text, " %d %s\n", is_set,
		 key->fixed ? buf_span(&value).at : "");
}

static void print_part(const struct key *key, const struct config *config,
		       struct buf *out)
{
	struct part part = { .key = key, .text = out };
	struct walk walk = { .visit = print_fixed, .arg = &part };

	holder_walk(&walk, NULL, config);
}

static bool is_same(const struct key *key, const struct config *next,
		    const struct config *now)
{
	auto_buf struct buf then = { 0 };
	auto_buf struct buf before = { 0 };

	print_part(key, next, &then);
	print_part(key, now, &before);
	return span_eq(buf_span(&then), buf_span(&before));
}

static void copy_value(struct walk *walk, const struct key *key,
		       const void *slot)
{
	const struct part *part = walk->arg;
	auto_buf struct buf value = { 0 };

	if (is_part(part, key) && key_print(key, slot, &value))
		key_parse(key, buf_span(&value),
			  settings_slot(part->target, key, walk->index));
}

static void copy(const struct key *key, struct config *next,
		 const struct config *now)
{
	struct settings target = { .config = next };
	struct part part = { .key = key, .target = &target };
	struct walk walk = { .visit = copy_value, .arg = &part };

	if (key->fills)
		list_clear(key->fills, next);
	holder_walk(&walk, NULL, now);
}

static void keep(const struct key *key, struct config *next,
		 const struct config *now, struct buf *kept)
{
	buf_addf(kept, "%s%s", kept->len ? ", " : "", key->name);
	copy(key, next, now);
}

/* It means an upstream that is not there before a restart. */
static bool is_ahead(const struct key *key, const struct config *config)
{
	const char *slot = (const char *)config + key->at;

	return type_refers(key->type) &&
	       !upstream_is_there(config, key->type, *(char *const *)slot);
}

void config_keep(struct config *next, const struct config *now,
		 struct buf *kept)
{
	for (size_t i = 0; i < key_count; i++)
		if (keys[i].fixed && !keys[i].list &&
		    !is_same(&keys[i], next, now))
			keep(&keys[i], next, now, kept);
	for (size_t i = 0; i < key_count; i++)
		if (!keys[i].list && is_ahead(&keys[i], next))
			keep(&keys[i], next, now, kept);
}

struct printing {
	const struct list *list;
	struct buf *out;
};

static void print_option(struct walk *walk, const struct key *key,
			 const void *slot)
{
	const struct printing *printing = walk->arg;
	auto_buf struct buf value = { 0 };

	if (key_list(key) != printing->list || !key_print(key, slot, &value))
		return;
	if (key->initial && span_is(buf_span(&value), key->initial))
		return;
	buf_addf(printing->out, " ");
	key_spell(key, PLACE_OPTION, walk->index, printing->out);
	buf_addf(printing->out, "=%s", buf_span(&value).at);
}

void config_print_list(const struct config *config, const char *first,
		       struct buf *out)
{
	struct printing printing = { key_list(key_named(first)), out };
	struct walk walk = { .visit = print_option, .arg = &printing };

	holder_walk(&walk, NULL, config);
}
