/*
 * config/settings.h: values on their way from where they are written into
 * struct config, and the memory of where each was written.
 */
#pragma once
#include "config/config.h"
#include "config/keys.h"

/* One value that was written. */
struct setting {
	const struct key *key;
	size_t index[KEY_DEPTH];
	enum place place;
	const struct key
		*within;  /* the short form it was written in, or null */
	const char *file; /* PLACE_FILE: and the line */
	unsigned line;
	bool wrong; /* it was refused */
};

struct settings {
	struct config *config;
	struct setting *at; /* of each value, the one that has the last word */
	size_t count;
	struct buf *problems; /* where they go, a line each; null: the first
				 one ends it */
	size_t problem_count;
};

/* Everything that config_load does, but for giving the result away. */
int settings_load(struct settings *, const struct config_source *, struct err *)
	may_wait must_check;
void settings_free(struct settings *);

/* Is the error only one of several problems? Then it is kept; 0. */
int settings_note(struct settings *, const struct err *) must_check;

/* Who has the last word on that value; null: the default. */
const struct setting *settings_find(const struct settings *, const struct key *,
				    const size_t *index);

/* The only way in. Takes places in rising order. ERR_USAGE. */
int settings_set(struct settings *, const struct setting *, struct span value,
		 struct err *) must_check;

/* Where a value is stored; its lists are long enough. */
void *settings_slot(const struct settings *, const struct key *,
		    const size_t *index);

/*
 * ERR_USAGE: where the setting stands and how it is spelled there, and behind
 * it what is wrong and the remedy.
 */
int setting_refuse(const struct setting *, struct err *, const char *format,
		   ...) printf_like(3, 4);

/*
 * "registry.yaml:7", "PRIVATE_REGISTRY_DRAIN", "--drain" or "default": where
 * it is written.
 */
void setting_locate(const struct setting *, struct buf *out);

/*
 * A walk along every value of a holder (null list: struct config), in the
 * order of the table; lists element by element.
 */
struct walk {
	void (*visit)(struct walk *, const struct key *, const void *slot);
	void *arg;
	size_t index[KEY_DEPTH]; /* of the value that is visited */
};
void holder_walk(struct walk *, const struct list *, const void *holder);

/* The outermost list that a key writes to; null if it writes to none. */
const struct list *key_list(const struct key *);

/* All elements go. */
void list_clear(const struct list *, void *holder);

/* Gives back what the values of one holder (null list: struct config) own. */
void holder_free(const struct list *, void *holder);

/* Is there what a key of this type, which refers to an upstream, says? */
bool upstream_is_there(const struct config *, enum type, const char *name);

/*
 * ERR_USAGE unless what was written fits together, and names files that can
 * be read.
 */
int settings_check(struct settings *, struct err *) may_wait must_check;
