/*
 * The database as a whole: one connection that writes, a few that read.
 *
 * A thread reads on the connection it had before, whose statements and pages
 * are warm on its core. If someone else is on it, it takes the next free one.
 */
#include "meta/inside.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "meta/schema.h"

#define READERS 16
#define REFERRERS_STEP 2 /* of the schema, before which none were listed */

struct meta {
	char *path;
	struct writer *writer;
	struct ids ids;
	struct notes notes;
	struct reader readers[READERS];
};

/* ------------------------------------------------------------ file system */

/* Locks and shared memory of these do not reach other hosts, or lie. */
static const struct {
	uint32_t magic;
	const char *name;
} remote[] = {
	/* clang-format off */
	{ 0x00006969, "NFS" },
	{ 0x0000517b, "SMB" },
	{ 0xff534d42, "CIFS" },
	{ 0xfe534d42, "SMB2" },
	{ 0x65735546, "FUSE" },
	{ 0x01021997, "9P" },
	{ 0x00c36400, "Ceph" },
	{ 0x0bd00bd0, "Lustre" },
	{ 0x5346414f, "AFS" },
	/* clang-format on */
};

static int place_check(const char *directory, struct err *e)
{
	struct statfs fs;

	if (statfs(directory, &fs) < 0)
		return err_sys(e, "%s", directory);
	for (size_t i = 0; i < array_size(remote); i++) {
		if ((uint32_t)fs.f_type == remote[i].magic)
			return err_set(e, ERR_USAGE,
				       "%s is on %s, a file system that may be "
				       "on a network, where a database is not "
				       "safe: use a directory on a local disk",
				       directory, remote[i].name);
	}
	return 0;
}

/* The directory of `path`, as new text. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return mem_text(".");
	char *directory = mem_text(path);
	directory[slash == path ? 1 : slash - path] = '\0';
	return directory;
}

/* ---------------------------------------------------------------- schema */

static int steps_take(struct db *db, struct err *e)
{
	int at;

	/* Another process may have been faster: look again, alone now. */
	if (db_step(db, &at, e) < 0)
		return -1;
	for (size_t i = 0; i < array_size(schema_steps); i++) {
		const struct schema_step *step = &schema_steps[i];

		if (step->number > at &&
		    db_step_take(db, step->number, step->text, e) < 0)
			return err_wrap(e, "step %d of the schema",
					step->number);
	}
	return at < REFERRERS_STEP ? referrers_fill(db, e) : 0;
}

int schema_update(struct db *db, struct err *e)
{
	int newest = schema_steps[array_size(schema_steps) - 1].number;
	int at;

	if (db_step(db, &at, e) < 0)
		return -1;
	if (at > newest)
		return err_set(e, ERR_USAGE,
			       "the database was made by a newer version of "
			       "this program (schema %d, this one knows %d): "
			       "run that version or restore a backup",
			       at, newest);
	if (at == newest)
		return 0;
	if (db_begin(db, DB_DURABLE, e) < 0)
		return -1;
	if (steps_take(db, e) < 0 || db_commit(db, e) < 0) {
		db_rollback(db);
		return -1;
	}
	return 0;
}

/* ------------------------------------------------------- opening, closing */

static int writer_prepare(const char *path, struct db **out, struct err *e)
{
	auto_free char *directory = directory_of(path);
	auto_of(db) struct db *db = NULL;

	if (place_check(directory, e) < 0)
		return -1;
	if (db_open(path, DB_WRITER, &db, e) < 0)
		return -1;
	if (schema_update(db, e) < 0)
		return err_wrap(e, "%s", path);

	/* The engine syncs the file, but not its name. */
	auto_fd int dir = io_open_dir(directory, e);
	if (dir < 0)
		return -1;
	if (io_sync(dir, e) < 0)
		return err_wrap(e, "%s", directory);
	*out = steal_ptr(&db);
	return 0;
}

int meta_open(const char *path, struct meta **out, struct err *e)
{
	struct db *db = NULL;

	thread_may_wait("meta_open");
	if (writer_prepare(path, &db, e) < 0)
		return -1;

	struct meta *meta = mem_alloc(sizeof(*meta));
	meta->path = mem_text(path);
	meta->writer = writer_open(db);
	pthread_mutex_init(&meta->ids.lock, NULL);
	for (size_t i = 0; i < READERS; i++)
		pthread_mutex_init(&meta->readers[i].lock, NULL);
	*out = meta;
	return 0;
}

void meta_close(struct meta **pointer)
{
	struct meta *meta = steal_ptr(pointer);

	/* The writer last: with it ends the log. */
	for (size_t i = 0; i < READERS; i++) {
		pthread_mutex_destroy(&meta->readers[i].lock);
		if (meta->readers[i].db)
			db_close(&meta->readers[i].db);
		recent_free(&meta->readers[i].recent);
	}
	writer_close(&meta->writer);
	pthread_mutex_destroy(&meta->ids.lock);
	free(meta->path);
	free(meta);
}

/* --------------------------------------------------------------- readers */

/* Locks one that is free, or else the thread's own: a reader is quick. */
static struct reader *reader_lock(struct meta *meta)
{
	static atomic_uint threads;
	static _Thread_local unsigned number; /* 1, 2, … */

	if (!number)
		number = ++threads;
	for (unsigned i = 0; i < READERS; i++) {
		struct reader *reader = &meta->readers[(number + i) % READERS];

		if (pthread_mutex_trylock(&reader->lock) == 0)
			return reader;
	}
	struct reader *own = &meta->readers[number % READERS];
	pthread_mutex_lock(&own->lock);
	return own;
}

struct reader *reader_take(struct meta *meta, struct err *e)
{
	auto_of(reader) struct reader *reader = reader_lock(meta);

	if (!reader->db && db_open(meta->path, DB_READER, &reader->db, e) < 0)
		return NULL;
	recent_renew(&reader->recent, writer_commits(meta->writer));
	return steal_ptr(&reader);
}

void reader_give(struct reader **pointer)
{
	struct reader *reader = steal_ptr(pointer);

	pthread_mutex_unlock(&reader->lock);
}

int meta_write(struct meta *meta, verb_run run, void *arg, struct err *e)
{
	thread_may_wait("meta_write");
	return writer_run(meta->writer, DB_DURABLE, run, arg, e);
}

int meta_write_soon(struct meta *meta, verb_run run, void *arg, struct err *e)
{
	thread_may_wait("meta_write_soon");
	return writer_run(meta->writer, DB_SOON, run, arg, e);
}

const char *meta_path(const struct meta *meta)
{
	return meta->path;
}

struct ids *meta_ids(struct meta *meta)
{
	return &meta->ids;
}

struct notes *meta_notes(struct meta *meta)
{
	return &meta->notes;
}

/* ---------------------------------------------------------------- values */

/* The algorithm's number in the enum is on the disk: it never changes. */
struct digest_row digest_row(const struct digest *digest)
{
	struct digest_row row = { .len = 1 + digest_size(digest->algorithm) };

	row.at[0] = (char)digest->algorithm;
	memcpy(row.at + 1, digest->bytes, row.len - 1);
	return row;
}

int digest_from_row(struct span row, struct digest *out, struct err *e)
{
	*out = (struct digest){ 0 };
	if (row.len < 1 || (unsigned char)row.at[0] >= DIGEST_ALGORITHMS)
		return err_set(e, ERR_CORRUPT, "database: not a digest");
	out->algorithm = (enum digest_algorithm)row.at[0];
	if (row.len != 1 + digest_size(out->algorithm))
		return err_set(e, ERR_CORRUPT, "database: not a digest");
	memcpy(out->bytes, row.at + 1, row.len - 1);
	return 0;
}
