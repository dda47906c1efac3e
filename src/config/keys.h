/*
 * config/keys.h: the table of keys, and how a key is spelled in each place
 * where it may be written.
 */
#pragma once
#include "base/buf.h"
#include "config/types.h"

/* A list of structs, or of texts, in struct config. */
struct list {
	const struct list *parent; /* whose elements hold it; null: config */
	size_t at;		   /* of the array, in what holds it */
	size_t count_at;	   /* of the array's length */
	size_t size;		   /* of one element */
	const char *first;  /* the key without which an element is none */
	const char *second; /* in short form, behind '='; or null */
	const char *form;   /* the short form of an element */
};

/* Positions, in a list and in the list inside of it. */
#define KEY_DEPTH 2

struct key {
	const char *name; /* "listen[].tls.key" */
	enum type type;
	const struct list *list; /* whose elements hold it; null: config */
	size_t at;		 /* where the value is stored */
	const char *initial;	 /* null: not set by default */
	const char *help;
	const char *choices;	  /* of a CHOICE: "optional|required" */
	const char *needs[2];	  /* the keys that must be there with it */
	const struct list *fills; /* it is the short form of this list */
	const char *option;	  /* a shorter name as an option */
	const char *section;	  /* of --help, that begins with this key */
	bool fixed;	/* what it says at the start holds to the end; of a
			   list: what is fixed in it */
	bool fixed_set; /* the same, but only of whether it is set */
};

extern const struct key keys[];
extern const size_t key_count;

/* Rising: a later place has the last word. */
enum place { PLACE_DEFAULT, PLACE_FILE, PLACE_ENVIRONMENT, PLACE_OPTION };

#define ENVIRONMENT_PREFIX "PRIVATE_REGISTRY_"

/*
 * "listen[0].address", PRIVATE_REGISTRY_LISTEN_0_ADDRESS, --listen.0.address.
 * Without `index` positions are '#'.
 */
void key_spell(const struct key *, enum place, const size_t *index,
	       struct buf *out);

/* The key that is spelled so there, and its positions; or null. */
const struct key *key_find(struct span text, enum place,
			   size_t index_out[KEY_DEPTH]);

/* The key of that name; it exists. */
const struct key *key_named(const char *name);

/* The key whose spelling there is close to a wrong one; null if none is. */
const struct key *key_near(struct span text, enum place);

/* Is it a value of the key? Then it is stored, as types.h says. */
bool key_parse(const struct key *, struct span value, void *slot);

/* Writes the value so that it can be parsed again; false: it is not set. */
bool key_print(const struct key *, const void *slot, struct buf *out);

/* "DURATION": how its value looks. */
const char *key_form(const struct key *);
