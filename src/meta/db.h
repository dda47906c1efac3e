/*
 * meta/db.h: the little that the verbs need of a database.
 *
 * A statement is SQL that SQLite and PostgreSQL both take, with parameters
 * $1, $2… that first appear in the order of their numbers. It is prepared
 * once a connection and known by its address: pass literals, never text that
 * was put together.
 *
 * A connection is used by one thread at a time. Failures: ERR_NO_SPACE,
 * ERR_CORRUPT, ERR_BUSY (another process held the database for too long),
 * ERR_IO.
 */
#pragma once
#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/span.h"

struct db;

enum db_role {
	DB_WRITER, /* makes the file; commits are durable */
	DB_READER, /* cannot write, and does not wait for writers */
	DB_DRAFT   /* a file that nobody else has, on any file system; what a
		      crash leaves of it is of no use */
};

/* ERR_USAGE if the file cannot be made or written. */
int db_open(const char *path, enum db_role, struct db **out, struct err *)
	must_check;
void db_close(struct db **);
DEFINE_AUTO(db, db_close)

/* ------------------------------------------------------------ statements */

struct db_value {
	enum { DB_NULL, DB_NUMBER, DB_TEXT, DB_BYTES } kind;
	int64_t number;
	struct span bytes; /* borrowed until the statement ended */
};

struct db_args {
	const struct db_value *at;
	size_t count;
};

#define DB_ARGS(...)                                      \
	((struct db_args){                                \
		(const struct db_value[]){ __VA_ARGS__ }, \
		array_size(((const struct db_value[]){ __VA_ARGS__ })) })
#define DB_NO_ARGS ((struct db_args){ NULL, 0 })

static inline struct db_value db_number(int64_t number)
{
	return (struct db_value){ .kind = DB_NUMBER, .number = number };
}

static inline struct db_value db_text(const char *text)
{
	return (struct db_value){ .kind = DB_TEXT, .bytes = span_of(text) };
}

static inline struct db_value db_bytes(struct span bytes)
{
	return (struct db_value){ .kind = DB_BYTES, .bytes = bytes };
}

static inline struct db_value db_null(void)
{
	return (struct db_value){ .kind = DB_NULL };
}

/* Runs it to its end. */
int db_do(struct db *, const char *sql, struct db_args, struct err *)
	must_check;
/* The same: how many rows it changed, or -1. */
int64_t db_change(struct db *, const char *sql, struct db_args, struct err *)
	must_check;

/* The rows of a statement, one after another. */
struct rows {
	void *statement;
};

int db_query(struct db *, const char *sql, struct db_args, struct rows *out,
	     struct err *) must_check;
/* 1: a row; 0: no more; -1. */
int rows_next(struct rows *, struct err *) must_check;
/* Ends the statement, and with it its snapshot. */
void rows_close(struct rows *);
#define auto_rows auto_with(rows_close)

/* db_query and the first rows_next. */
int db_find(struct db *, const char *sql, struct db_args, struct rows *out,
	    struct err *) must_check;

/* Columns of the row, from 0; spans are valid until the next row. */
int64_t row_number(const struct rows *, int column);
struct span row_text(const struct rows *, int column);	/* ends in NUL */
struct span row_bytes(const struct rows *, int column); /* null: SPAN_NONE */

/* ---------------------------------------------------------- transactions */

/* What its commit is to be worth. */
enum db_promise {
	DB_DURABLE, /* it is on the disk */
	DB_SOON	    /* it survives this process; a loss of power only from the
		       next durable commit on, and then with all before it */
};

int db_begin(struct db *, enum db_promise, struct err *) must_check;
int db_commit(struct db *, struct err *) must_check;
void db_rollback(struct db *); /* fine if there is none */

/* Within a transaction: a part that can be undone by itself, not nested. */
int db_part_begin(struct db *, struct err *) must_check;
int db_part_keep(struct db *, struct err *) must_check;
int db_part_undo(struct db *, struct err *) must_check;

/* ---------------------------------------------------------------- schema */

/* The number of the last step that was taken; 0 in a new database. */
int db_step(struct db *, int *out, struct err *) must_check;
/* Runs a step's text and notes its number; in a transaction. */
int db_step_take(struct db *, int number, const char *text, struct err *)
	must_check;

/* ---------------------------------------------------------------- copies */

/*
 * Writes all that was committed so far to the file `path`, which is made anew:
 * a draft. Who writes meanwhile goes on; readers as well. `go_on` is asked
 * after each piece; false: ERR_CLOSED.
 */
int db_copy(struct db *from, const char *path, bool (*go_on)(void *arg),
	    void *arg, struct err *) must_check;

/* Reads all of it. ERR_CORRUPT if something is wrong with its structure. */
int db_check(struct db *, struct err *) must_check;
