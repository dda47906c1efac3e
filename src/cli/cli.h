/*
 * cli/cli.h: the command line. A verb is a row of main.c's table; everything
 * it says about itself is printed from there.
 */
#pragma once
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

struct verb;

/* What was typed: `args` stand behind the verb and end in null. */
struct call {
	const struct verb *verbs; /* the table; of a group, the group's */
	char *const *args;
};

struct verb {
	const char *name;
	const char *summary; /* one line */

	/* 0 or -1; the error, printed once, also chooses the exit status. */
	int (*run)(const struct call *, struct err *);

	/* The text of --help. */
	void (*help)(const struct call *, struct buf *);

	/* It is a group: one of these follows. Its `run` says so. */
	const struct verb *verbs;
};

/* check, show, docs: how the configuration is written. */
extern const struct verb cli_config_verbs[];

/*
 * Runs the verb that argv names, of a table that ends in an empty row.
 * Returns the exit status: 0, 1 it failed, 2 the command line or the
 * configuration is wrong, 3 the data directory is in use, or the operator of
 * the host wants something otherwise.
 */
int cli_main(const struct verb *verbs, char *const *argv) may_wait;

int cli_serve(const struct call *, struct err *) may_wait must_check;
int cli_agent(const struct call *, struct err *) may_wait must_check;
int cli_config(const struct call *, struct err *) must_check;
int cli_backup(const struct call *, struct err *) may_wait must_check;
int cli_restore(const struct call *, struct err *) may_wait must_check;
int cli_keep(const struct call *, struct err *) may_wait must_check;
void cli_keep_help(const struct call *, struct buf *);
int cli_gc(const struct call *, struct err *) may_wait must_check;
int cli_hosts(const struct call *, struct err *) may_wait must_check;
int cli_help(const struct call *, struct err *) may_wait must_check;
int cli_prefetch(const struct call *, struct err *) may_wait must_check;
int cli_registries(const struct call *, struct err *) may_wait must_check;
int cli_explain(const struct call *, struct err *) may_wait must_check;
int cli_status(const struct call *, struct err *) may_wait must_check;
int cli_verify(const struct call *, struct err *) may_wait must_check;
int cli_version(const struct call *, struct err *) may_wait must_check;

void cli_serve_help(const struct call *, struct buf *);
void cli_agent_help(const struct call *, struct buf *);
void cli_config_help(const struct call *, struct buf *);
void cli_backup_help(const struct call *, struct buf *);
void cli_restore_help(const struct call *, struct buf *);
void cli_gc_help(const struct call *, struct buf *);
void cli_hosts_help(const struct call *, struct buf *);
void cli_help_help(const struct call *, struct buf *);
void cli_prefetch_help(const struct call *, struct buf *);
void cli_registries_help(const struct call *, struct buf *);
void cli_explain_help(const struct call *, struct buf *);
void cli_status_help(const struct call *, struct buf *);
void cli_verify_help(const struct call *, struct buf *);
void cli_version_help(const struct call *, struct buf *);

/*
 * Serves until a signal ends it; 0 is a clean stop. Takes the configuration,
 * which `args` made: a reload reads it from there again.
 */
int serve_run(struct config *, char *const *args, struct err *)
	may_wait must_check;
