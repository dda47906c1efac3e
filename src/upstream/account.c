#include "upstream/account.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"

#define ACCOUNTS_MAX 64
#define PASSWORD_MAX ((size_t)4096)
#define BAD_MS (5 * 60 * 1000)
#define PAUSE_MIN_MS 1000
#define PAUSE_FIRST_MS 30000
#define PAUSE_MOST_MS (15 * 60 * 1000)

/* ---------------------------------------------------------- open and close */

static int check_credential(const struct upstream_options *options, size_t i,
			    struct err *e)
{
	const struct upstream_credential *credential = &options->credentials[i];
	auto_buf struct buf password = { 0 };

	if (!credential->username || !credential->password_file)
		return err_set(e, ERR_USAGE,
			       "upstream %s needs a username and a "
			       "password_file for each of its credentials",
			       options->name);
	if (i + 1 >= ACCOUNTS_MAX)
		return err_set(e, ERR_USAGE,
			       "upstream %s has more than %d credentials",
			       options->name, ACCOUNTS_MAX - 1);
	if (io_read_file(credential->password_file, PASSWORD_MAX, &password,
			 e) == 0)
		return 0;
	e->kind = ERR_USAGE;
	return err_wrap(e, "upstream %s", options->name);
}

int accounts_open(const struct upstream_options *options, struct accounts **out,
		  struct err *e)
{
	size_t count = options->credential_count;

	for (size_t i = 0; i < count; i++)
		if (check_credential(options, i, e) < 0)
			return -1;

	struct accounts *accounts = mem_alloc(
		sizeof(*accounts) + (count + 1) * sizeof(struct account));
	pthread_mutex_init(&accounts->lock, NULL);
	accounts->upstream = mem_text(options->name);
	accounts->metrics = metric_owner(options->name);
	accounts->count = count + 1;
	for (size_t i = 0; i < count; i++) {
		struct account *account = &accounts->at[i];

		account->username = mem_text(options->credentials[i].username);
		account->password_file =
			mem_text(options->credentials[i].password_file);
	}
	*out = accounts;
	return 0;
}

void accounts_close(struct accounts **at)
{
	struct accounts *accounts = steal_ptr(at);

	if (!accounts)
		return;
	for (size_t i = 0; i < accounts->count; i++) {
		free(accounts->at[i].username);
		free(accounts->at[i].password_file);
	}
	pthread_mutex_destroy(&accounts->lock);
	free(accounts->upstream);
	free(accounts);
}

static bool is_same_account(const struct account *a, const struct account *b)
{
	if (!a->username || !b->username)
		return a->username == b->username;
	return strcmp(a->username, b->username) == 0 &&
	       strcmp(a->password_file, b->password_file) == 0;
}

bool accounts_same(const struct accounts *a, const struct accounts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!is_same_account(&a->at[i], &b->at[i]))
			return false;
	return true;
}

/* ----------------------------------------------------------- whose turn */

/* One of which nothing is known is tried, to know it. */
static int64_t left_of(const struct account *account, int64_t now)
{
	int64_t left = budget_left(&account->budget, now);

	return left < 0 ? INT64_MAX : left;
}

/* Does `account` come before `other`, which may be null? */
static bool comes_before(const struct account *account,
			 const struct account *other, int64_t now)
{
	if (!other)
		return true;
	return account->username && left_of(account, now) > left_of(other, now);
}

/* Of those that a bit of `left_out` does not stand for. */
static struct account *best_of(struct accounts *accounts, uint64_t left_out,
			       int64_t now)
{
	struct account *best = NULL;

	for (size_t i = 0; i < accounts->count; i++)
		if (!(left_out >> i & 1) && accounts->at[i].bad_until <= now &&
		    comes_before(&accounts->at[i], best, now))
			best = &accounts->at[i];
	return best;
}

static uint64_t bit_of(const struct accounts *accounts,
		       const struct account *account)
{
	return UINT64_C(1) << (account - accounts->at);
}

static uint64_t pausing(const struct accounts *accounts, int64_t now)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < accounts->count; i++)
		if (accounts->at[i].paused_until > now)
			bits |= bit_of(accounts, &accounts->at[i]);
	return bits;
}

static bool is_bad(struct accounts *accounts, const struct account *account,
		   struct stat *file_out)
{
	hold_mutex(&accounts->lock);

	*file_out = account->bad_file;
	return account->bad_until > clock_ms();
}

static void forgive(struct accounts *accounts, struct account *account)
{
	hold_mutex(&accounts->lock);
	account->bad_until = 0;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Whose file has changed deserves another try. */
static void look_at_files(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *account = &accounts->at[i];
		struct stat before, now;

		if (is_bad(accounts, account, &before) &&
		    stat(account->password_file, &now) == 0 &&
		    !is_same_file(&before, &now))
			forgive(accounts, account);
	}
}

bool accounts_next(struct accounts *accounts, struct account_turn *turn)
{
	int64_t now = clock_ms();

	look_at_files(accounts);
	hold_mutex(&accounts->lock);
	uint64_t paused = turn->counted ? pausing(accounts, now) : 0;

	turn->account = best_of(accounts, turn->tried | paused, now);
	turn->paused = turn->paused || paused;
	if (!turn->account)
		return false;
	turn->tried |= bit_of(accounts, turn->account);
	return true;
}

/* ---------------------------------------------------------------- budgets */

static int64_t paused_ms(const struct accounts *accounts, int64_t now)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < accounts->count; i++) {
		const struct account *account = &accounts->at[i];
		int64_t until = account->bad_until > account->paused_until ?
					account->bad_until :
					account->paused_until;

		if (until - now < least)
			least = until - now;
	}
	return least > 0 ? least : 0;
}

int64_t accounts_paused_ms(struct accounts *accounts)
{
	hold_mutex(&accounts->lock);
	return paused_ms(accounts, clock_ms());
}

/* Several may hear it at once: only the first makes it longer. */
static void pause_account(struct account *account, int64_t told_ms, int64_t now)
{
	int64_t ms = told_ms;

	if (account->paused_until > now && told_ms < 0)
		return;
	if (told_ms < 0) {
		ms = account->pause_ms ? 2 * account->pause_ms : PAUSE_FIRST_MS;
		account->pause_ms = ms = ms < PAUSE_MOST_MS ? ms :
							      PAUSE_MOST_MS;
	}
	account->paused_until = now + (ms > PAUSE_MIN_MS ? ms : PAUSE_MIN_MS);
}

static void sum_up(const struct accounts *accounts, struct upstream_budget *out,
		   int64_t now)
{
	*out = (struct upstream_budget){
		.paused_ms = paused_ms(accounts, now),
	};
	for (size_t i = 0; i < accounts->count; i++) {
		const struct budget *budget = &accounts->at[i].budget;

		if (budget->limit == 0)
			continue;
		out->limit += budget->limit;
		out->left += budget_left(budget, now);
		out->window_s = budget->window_s;
	}
}

static void show(const struct accounts *accounts, int64_t now)
{
	struct upstream_budget sum;

	sum_up(accounts, &sum, now);
	metric_put_for(accounts->metrics, EACH_BUDGET, sum.limit);
	metric_put_for(accounts->metrics, EACH_BUDGET_LEFT, sum.left);
	metric_put_for(accounts->metrics, EACH_PAUSED_UNTIL,
		       sum.paused_ms ? clock_wall_s() + sum.paused_ms / 1000 :
				       0);
}

void accounts_hear(struct accounts *accounts, struct account *account,
		   const struct client_head *head)
{
	struct span limit = client_header(head, "ratelimit-limit");
	struct span left = client_header(head, "ratelimit-remaining");
	struct span retry = client_header(head, "Retry-After");
	int64_t now = clock_ms();

	hold_mutex(&accounts->lock);
	budget_hear(&account->budget, limit, left, now);
	if (client_status(head) == 429)
		pause_account(account, budget_retry_ms(retry, clock_wall_s()),
			      now);
	show(accounts, now);
}

void accounts_answered(struct accounts *accounts, struct account *account)
{
	hold_mutex(&accounts->lock);
	if (account->paused_until <= clock_ms())
		account->pause_ms = 0;
}

void accounts_budget(struct accounts *accounts, struct upstream_budget *out)
{
	hold_mutex(&accounts->lock);
	sum_up(accounts, out, clock_ms());
}

int64_t accounts_stretch(struct accounts *accounts, int64_t ms)
{
	int64_t now = clock_ms();

	hold_mutex(&accounts->lock);
	const struct account *best =
		best_of(accounts, pausing(accounts, now), now);

	return best ? budget_stretch(&best->budget, ms, now) : ms;
}

/* -------------------------------------------------------------- passwords */

static int read_password(const struct account *account, struct arena *arena,
			 const char **out, struct err *e)
{
	auto_buf struct buf line = { 0 };

	if (io_read_line(account->password_file, PASSWORD_MAX, &line, e) < 0)
		return -1;
	*out = arena_text(arena, buf_span(&line));
	return 0;
}

static void put_off(struct accounts *accounts, struct account *account,
		    const struct stat *file)
{
	hold_mutex(&accounts->lock);
	account->bad_until = clock_ms() + BAD_MS;
	account->bad_file = *file;
}

#define NOT_USED "it is not used for %d minutes, or until the file changes"

int account_password(struct accounts *accounts, struct account *account,
		     struct arena *arena, const char **out, struct err *e)
{
	struct stat file;

	/* Before it is read, so that what changes meanwhile is seen. */
	if (stat(account->password_file, &file) < 0)
		file = (struct stat){ 0 };
	if (read_password(account, arena, out, e) == 0)
		return 0;
	if (e->kind == ERR_BUSY)
		return -1;
	e->kind = ERR_DENIED;
	put_off(accounts, account, &file);
	log_say(LOG_WARN, "credentials",
		"upstream %s, the password of %s: %s; " NOT_USED,
		accounts->upstream, account->username, e->message,
		BAD_MS / 60000);
	return -1;
}

void account_refuse(struct accounts *accounts, struct account *account,
		    const char *password)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	struct stat file = { 0 };
	const char *now;
	struct err e;

	if (stat(account->password_file, &file) < 0 ||
	    read_password(account, arena, &now, &e) < 0 ||
	    strcmp(now, password) != 0)
		return;
	put_off(accounts, account, &file);
	log_say(LOG_WARN, "credentials",
		"upstream %s refuses the password of %s in %s; " NOT_USED,
		accounts->upstream, account->username, account->password_file,
		BAD_MS / 60000);
}
