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
};

struct settings {
	struct config *config;
	struct setting *at; /* of each value, the one that has the last word */
	size_t count;
};

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

/* Gives back what the values of one holder (null list: struct config) own. */
void holder_free(const struct list *, void *holder);

/*
 * ERR_USAGE unless what was written fits together, and names files that can
 * be read.
 */
int settings_check(const struct settings *, struct err *) may_wait must_check;
