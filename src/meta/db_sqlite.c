/*
 * SQLite behind db.h. Write-ahead log: readers see the last commit and wait
 * for nobody, a commit is one fsync. Page caches are small, since the kernel
 * caches the file as well; no memory map, since a bad sector would then end
 * the process instead of one request.
 */
#include "meta/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/mem.h"

#define BUSY_MS 10000
#define LOG_PAGES 1000 /* a log of so many is copied into the file */
#define LOG_LONG 4000  /* and now it has to begin anew */
#define LOG_MS 20      /* for which a commit waits at most so long */
#define COPY_PAGES 256 /* in one piece */
#define STATEMENTS 256 /* more than there are, and a power of two */

struct db {
	sqlite3 *handle;
	int restart_at;		 /* pages: for how long a log a writer waits */
	enum db_promise promise; /* as the engine has it */
	bool doubtful;		 /* what is in the log, after a failed sync */
	struct {
		const char *sql;
		sqlite3_stmt *statement;
	} prepared[STATEMENTS];
};

/* ---------------------------------------------------------------- errors */

static enum err_kind kind_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return ERR_NO_SPACE;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	default:
		return ERR_IO;
	}
}

static int db_fail(sqlite3 *handle, int code, struct err *e)
{
	int kind = code & 0xff;

	errno = sqlite3_system_errno(handle);
	if (errno && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN))
		return err_sys(e, "database: %s", sqlite3_errmsg(handle));
	return err_set(e, kind_of(code), "database: %s",
		       sqlite3_errmsg(handle));
}

/* ------------------------------------------------------------ statements */

/* Parameters are bound by position: "$1" must be the first, and so on. */
static void statement_check(sqlite3_stmt *statement)
{
	char name[12];

	for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
		snprintf(name, sizeof(name), "$%d", i);
		assert(!strcmp(sqlite3_bind_parameter_name(statement, i),
			       name));
	}
}

static sqlite3_stmt *statement_of(struct db *db, const char *sql, struct err *e)
{
	size_t at = ((uintptr_t)sql >> 3) % STATEMENTS;

	for (size_t used = 0; db->prepared[at].sql; used++) {
		if (db->prepared[at].sql == sql)
			return db->prepared[at].statement;
		assert(used < STATEMENTS);
		at = (at + 1) % STATEMENTS;
	}

	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v3(db->handle, sql, -1,
				      SQLITE_PREPARE_PERSISTENT, &statement,
				      NULL);
	if (code != SQLITE_OK) {
		db_fail(db->handle, code, e);
		return NULL;
	}
	statement_check(statement);
	db->prepared[at].sql = sql;
	db->prepared[at].statement = statement;
	return statement;
}

static int bind(sqlite3_stmt *statement, int at, const struct db_value *value)
{
	int len = (int)value->bytes.len;

	switch (value->kind) {
	case DB_NUMBER:
		return sqlite3_bind_int64(statement, at, value->number);
	case DB_TEXT:
		return sqlite3_bind_text(statement, at, value->bytes.at, len,
					 SQLITE_STATIC);
	case DB_BYTES:
		return sqlite3_bind_blob(statement, at, value->bytes.at, len,
					 SQLITE_STATIC);
	case DB_NULL:
		break;
	}
	return sqlite3_bind_null(statement, at);
}

int db_query(struct db *db, const char *sql, struct db_args args,
	     struct rows *out, struct err *e)
{
	sqlite3_stmt *statement = statement_of(db, sql, e);

	out->statement = statement;
	if (!statement)
		return -1;
	assert(sqlite3_bind_parameter_count(statement) == (int)args.count);
	for (size_t i = 0; i < args.count; i++) {
		int code = bind(statement, (int)i + 1, &args.at[i]);

		if (code != SQLITE_OK)
			return db_fail(db->handle, code, e);
	}
	return 0;
}

int rows_next(struct rows *rows, struct err *e)
{
	int code = sqlite3_step(rows->statement);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return db_fail(sqlite3_db_handle(rows->statement), code, e);
}

void rows_close(struct rows *rows)
{
	sqlite3_reset(rows->statement); /* repeats an error that was told */
	rows->statement = NULL;
}

int db_find(struct db *db, const char *sql, struct db_args args,
	    struct rows *out, struct err *e)
{
	return db_query(db, sql, args, out, e) < 0 ? -1 : rows_next(out, e);
}

int db_do(struct db *db, const char *sql, struct db_args args, struct err *e)
{
	auto_rows struct rows rows;

	return db_find(db, sql, args, &rows, e) < 0 ? -1 : 0;
}

int64_t db_change(struct db *db, const char *sql, struct db_args args,
		  struct err *e)
{
	if (db_do(db, sql, args, e) < 0)
		return -1;
	return sqlite3_changes64(db->handle);
}

int64_t row_number(const struct rows *rows, int column)
{
	return sqlite3_column_int64(rows->statement, column);
}

struct span row_text(const struct rows *rows, int column)
{
	const void *at = sqlite3_column_text(rows->statement, column);

	return span_make(at,
			 (size_t)sqlite3_column_bytes(rows->statement, column));
}

struct span row_bytes(const struct rows *rows, int column)
{
	const void *at = sqlite3_column_blob(rows->statement, column);

	return span_make(at,
			 (size_t)sqlite3_column_bytes(rows->statement, column));
}

/* ---------------------------------------------------------- transactions */

static int script(sqlite3 *handle, const char *text, struct err *e)
{
	int code = sqlite3_exec(handle, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : db_fail(handle, code, e);
}

/* The engine takes this between transactions only. */
static int promise(struct db *db, enum db_promise promise, struct err *e)
{
	if (promise == db->promise)
		return 0;
	if (script(db->handle,
		   promise == DB_DURABLE ? "PRAGMA synchronous = FULL" :
					   "PRAGMA synchronous = NORMAL",
		   e) < 0)
		return -1;
	db->promise = promise;
	return 0;
}

/*
 * After a sync that failed, the kernel takes what it could not write for
 * written. Of the log that may be commits that came soon, and whatever
 * follows them in it would be lost with them. So all of it is copied into the
 * file, and the log begins anew, before anything else is promised.
 */
static int log_renew(struct db *db, struct err *e)
{
	int code = sqlite3_wal_checkpoint_v2(
		db->handle, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);

	db->doubtful = code != SQLITE_OK;
	return db->doubtful ? db_fail(db->handle, code, e) : 0;
}

/*
 * Whoever left this log may have seen such a failure, and ended. It is taken
 * over as it is where others are in it, and on a full disk, which is to permit
 * a start.
 */
static void log_inherit(struct db *db)
{
	struct err e;

	sqlite3_busy_timeout(db->handle, LOG_MS);
	if (log_renew(db, &e) < 0)
		db->doubtful = e.kind == ERR_IO;
	sqlite3_busy_timeout(db->handle, BUSY_MS);
}

int db_begin(struct db *db, enum db_promise wanted, struct err *e)
{
	if (promise(db, wanted, e) < 0 ||
	    (db->doubtful && log_renew(db, e) < 0))
		return -1;
	return db_do(db, "BEGIN IMMEDIATE", DB_NO_ARGS, e);
}

int db_commit(struct db *db, struct err *e)
{
	int failed = db_do(db, "COMMIT", DB_NO_ARGS, e);

	if (failed &&
	    sqlite3_extended_errcode(db->handle) == SQLITE_IOERR_FSYNC)
		db->doubtful = true;
	return failed;
}

void db_rollback(struct db *db)
{
	struct err e;

	if (!sqlite3_get_autocommit(db->handle) &&
	    db_do(db, "ROLLBACK", DB_NO_ARGS, &e) < 0)
		return; /* the engine has rolled back by itself */
}

int db_part_begin(struct db *db, struct err *e)
{
	return db_do(db, "SAVEPOINT part", DB_NO_ARGS, e);
}

int db_part_keep(struct db *db, struct err *e)
{
	return db_do(db, "RELEASE part", DB_NO_ARGS, e);
}

int db_part_undo(struct db *db, struct err *e)
{
	if (db_do(db, "ROLLBACK TO part", DB_NO_ARGS, e) < 0)
		return -1;
	return db_part_keep(db, e);
}

/* ---------------------------------------------------------------- schema */

int db_step(struct db *db, int *out, struct err *e)
{
	auto_rows struct rows rows;
	int found = db_find(db, "PRAGMA user_version", DB_NO_ARGS, &rows, e);

	if (found < 0)
		return -1;
	*out = found ? (int)row_number(&rows, 0) : 0;
	return 0;
}

int db_step_take(struct db *db, int number, const char *text, struct err *e)
{
	char note[40];

	snprintf(note, sizeof(note), "PRAGMA user_version = %d", number);
	if (script(db->handle, text, e) < 0)
		return -1;
	return script(db->handle, note, e);
}

/* ----------------------------------------------------------- connections */

/* The allocator's own statistics would be a lock that all threads share. */
static void library_setup(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static const char writer_setup[] = "PRAGMA journal_mode = WAL;"
				   "PRAGMA synchronous = FULL;"
				   "PRAGMA foreign_keys = ON;"
				   "PRAGMA temp_store = MEMORY;"
				   "PRAGMA journal_size_limit = 16777216;"
				   "PRAGMA cache_size = -1024;";

/* In a lock of its own it needs no shared memory. */
static const char draft_setup[] = "PRAGMA locking_mode = EXCLUSIVE;"
				  "PRAGMA journal_mode = OFF;"
				  "PRAGMA synchronous = OFF;"
				  "PRAGMA foreign_keys = ON;"
				  "PRAGMA temp_store = MEMORY;"
				  "PRAGMA cache_size = -4096;";

static const char reader_setup[] = "PRAGMA query_only = ON;"
				   "PRAGMA temp_store = MEMORY;"
				   "PRAGMA cache_size = -512;";

/*
 * Called after each commit. The log begins anew only when all of it was copied
 * into the file and nobody reads in it. Readers that come and go without a
 * pause put that off and off: so once it is long, the writer waits a moment
 * for those who are in it, while those who come read the file. One that stays
 * for long, as a backup does, is not waited for at every commit, but when the
 * log has become longer by as much again.
 */
static int log_copy(void *arg, sqlite3 *handle, const char *database, int pages)
{
	struct db *db = arg;
	bool restart = pages >= db->restart_at;

	if (pages < LOG_PAGES) {
		db->restart_at = LOG_LONG;
		return SQLITE_OK;
	}
	sqlite3_busy_timeout(handle, LOG_MS);
	int code = sqlite3_wal_checkpoint_v2(
		handle, database,
		restart ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE,
		NULL, NULL);
	sqlite3_busy_timeout(handle, BUSY_MS);
	if (code == SQLITE_IOERR_FSYNC)
		db->doubtful = true;
	if (restart)
		db->restart_at = LOG_LONG + (code == SQLITE_OK ? 0 : pages);
	return SQLITE_OK;
}

static int open_fail(sqlite3 *handle, int code, struct err *e)
{
	int kind = code & 0xff;

	db_fail(handle, code, e);
	if ((kind == SQLITE_CANTOPEN && e->kind == ERR_IO) ||
	    kind == SQLITE_READONLY || kind == SQLITE_PERM)
		e->kind = ERR_USAGE;
	return -1;
}

/* Where there is no shared memory, the engine silently stays without a log. */
static int log_check(struct db *db, struct err *e)
{
	auto_rows struct rows rows;
	int found = db_find(db, "PRAGMA journal_mode", DB_NO_ARGS, &rows, e);

	if (found == 1 && span_is(row_text(&rows, 0), "wal"))
		return 0;
	if (found < 0)
		return -1;
	return err_set(e, ERR_USAGE,
		       "this file system has no shared memory for a database: "
		       "use a directory on a local disk");
}

/*
 * The index of the log is mapped. Where a file system writes each page to a
 * new place (btrfs), a store into it would end the process on a full disk, by
 * SIGBUS: so that file is one whose pages keep their places, which only an
 * empty one can become. Nobody else has one open that was just made.
 */
static void index_make(const char *path)
{
	auto_buf struct buf index = { 0 };
	int flags;

	buf_addf(&index, "%s-shm", path);
	auto_fd int fd =
		open(index.at, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return;
	flags |= FS_NOCOW_FL;
	ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

/* The engine would let everybody read it. What is wrong with it, that says. */
static void file_make(const char *path)
{
	auto_fd int made =
		open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	(void)made;
}

static int db_setup(struct db *db, const char *path, enum db_role role,
		    struct err *e)
{
	static const char *const setups[] = {
		[DB_WRITER] = writer_setup,
		[DB_READER] = reader_setup,
		[DB_DRAFT] = draft_setup,
	};
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		    (role == DB_WRITER ? SQLITE_OPEN_CREATE : 0);

	if (role == DB_WRITER)
		file_make(path);
	int code = sqlite3_open_v2(path, &db->handle, flags, NULL);
	if (code != SQLITE_OK)
		return open_fail(db->handle, code, e);
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, role == DB_READER ? 0 : BUSY_MS);
	code = sqlite3_exec(db->handle, setups[role], NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return open_fail(db->handle, code, e);
	db->restart_at = LOG_LONG;
	if (role == DB_WRITER)
		sqlite3_wal_hook(db->handle, log_copy, db);
	if (role != DB_DRAFT && log_check(db, e) < 0)
		return -1;
	if (role == DB_WRITER)
		log_inherit(db);
	return 0;
}

int db_open(const char *path, enum db_role role, struct db **out, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	auto_of(db) struct db *db = mem_alloc(sizeof(*db));

	pthread_once(&once, library_setup);
	if (role == DB_WRITER)
		index_make(path);
	if (db_setup(db, path, role, e) < 0)
		return err_wrap(e, "%s", path);
	*out = steal_ptr(&db);
	return 0;
}

void db_close(struct db **pointer)
{
	struct db *db = steal_ptr(pointer);

	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(db->prepared[i].statement);
	sqlite3_close(db->handle);
	free(db);
}

/* ---------------------------------------------------------------- copies */

static void handle_end(sqlite3 **handle)
{
	sqlite3_close(*handle);
}

static int copy_steps(sqlite3_backup *copy, bool (*go_on)(void *arg), void *arg)
{
	int code;

	do
		code = sqlite3_backup_step(copy, COPY_PAGES);
	while (code == SQLITE_OK && go_on(arg));
	return code;
}

static int copy_do(struct db *from, sqlite3 *to, bool (*go_on)(void *arg),
		   void *arg, struct err *e)
{
	sqlite3_backup *copy =
		sqlite3_backup_init(to, "main", from->handle, "main");

	if (!copy)
		return db_fail(to, sqlite3_errcode(to), e);
	int code = copy_steps(copy, go_on, arg);
	sqlite3_backup_finish(copy);
	if (code == SQLITE_DONE)
		return 0;
	if (code == SQLITE_OK)
		return err_set(e, ERR_CLOSED, "it was told to end");
	return db_fail(to, code, e);
}

/* In one transaction that reads, it is one moment, and never begins anew. */
static int copy_moment(struct db *from, sqlite3 *to, bool (*go_on)(void *arg),
		       void *arg, struct err *e)
{
	int step;

	if (db_do(from, "BEGIN", DB_NO_ARGS, e) < 0)
		return -1;
	int failed = db_step(from, &step, e) < 0 ||
		     copy_do(from, to, go_on, arg, e) < 0;
	db_rollback(from);
	return failed ? -1 : 0;
}

int db_copy(struct db *from, const char *path, bool (*go_on)(void *arg),
	    void *arg, struct err *e)
{
	auto_with(handle_end) sqlite3 *to = NULL;

	/* The engine would let everybody read it. */
	auto_fd int fd =
		io_open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, e);
	if (fd < 0)
		return -1;
	int code = sqlite3_open_v2(path, &to,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					   SQLITE_OPEN_NOMUTEX,
				   NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(to, draft_setup, NULL, NULL, NULL);
	if (code != SQLITE_OK) {
		db_fail(to, code, e);
		return err_wrap(e, "%s", path);
	}
	return copy_moment(from, to, go_on, arg, e);
}

int db_check(struct db *db, struct err *e)
{
	auto_rows struct rows rows;
	int found = db_find(db, "PRAGMA quick_check(1)", DB_NO_ARGS, &rows, e);

	if (found < 0)
		return -1;
	if (span_is(row_text(&rows, 0), "ok"))
		return 0;
	return err_set(e, ERR_CORRUPT, "database: %.*s",
		       SPAN_ARG(row_text(&rows, 0)));
}
