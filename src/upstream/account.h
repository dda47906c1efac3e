/*
 * upstream/account.h: as whom an upstream is asked: by each of its
 * credentials, and at last as nobody.
 *
 * Each account has a budget of its own, and of those that may be used the one
 * with the most left comes first. After a 429 an account is asked for no
 * manifests and lists for a while; one whose password was refused is not used
 * at all for a while, or until its file changes.
 */
#pragma once
#include <sys/stat.h>

#include "base/metrics.h"
#include "base/thread.h"
#include "client/client.h"
#include "upstream/budget.h"
#include "upstream/upstream.h"

struct account {
	char *username; /* null: nobody, the last of all */
	char *password_file;
	/* Guarded by accounts.lock; times are clock_ms: */
	struct budget budget;
	int64_t paused_until;
	int64_t pause_ms; /* the last that nobody had told us */
	int64_t bad_until;
	struct stat bad_file; /* the one that was refused, or not readable */
};

struct accounts {
	pthread_mutex_t lock;
	char *upstream; /* for the log */
	struct metric_owner *metrics;
	size_t count; /* at least 1 */
	struct account at[];
};

/* ERR_USAGE if a credential is incomplete, or its file cannot be read. */
int accounts_open(const struct upstream_options *, struct accounts **out,
		  struct err *) may_wait must_check;
void accounts_close(struct accounts **);

/* The same usernames and files, in the same order? */
bool accounts_same(const struct accounts *, const struct accounts *);

/* The way of one question through the accounts; zeros: at its beginning. */
struct account_turn {
	bool counted;		 /* not for those that pause */
	struct account *account; /* whose turn it is */
	uint64_t tried;		 /* a bit each */
	bool paused;		 /* one was left out: it may know more */
};

/* Whose turn is next? False when there is nobody left. */
bool accounts_next(struct accounts *, struct account_turn *) may_wait;

/* Milliseconds until one may be asked what counts; 0: now. */
int64_t accounts_paused_ms(struct accounts *);

/* What an answer to that account says of its budget. */
void accounts_hear(struct accounts *, struct account *,
		   const struct client_head *);
/* It was answered what counts: the next pause is a first one. */
void accounts_answered(struct accounts *, struct account *);

/*
 * The first line of its file, in the arena. ERR_DENIED: it cannot be read,
 * which is logged, and counts like a password that was refused. ERR_BUSY: no
 * descriptor is left.
 */
int account_password(struct accounts *, struct account *, struct arena *,
		     const char **out, struct err *) may_wait must_check;
/* Its password was refused. Logs it, unless the file has another one now. */
void account_refuse(struct accounts *, struct account *, const char *password)
	may_wait;

/* All of them together. */
void accounts_budget(struct accounts *, struct upstream_budget *out);
/* As budget_stretch, by the one that is asked next. */
int64_t accounts_stretch(struct accounts *, int64_t ms);
