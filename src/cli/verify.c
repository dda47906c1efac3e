/*
 * private-registry verify: asks the process that serves to read everything
 * back, or does it itself when the data directory is free.
 */
#include "cli/verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/errand.h"
#include "cli/inside.h"
#include "cli/say.h"

/* As it was typed. */
struct verify {
	int64_t rate; /* -1: as configured, and without a server none */
	int64_t dry;
};

/* ------------------------------------------------------------------ saying */

struct teller {
	struct progress progress;
	bool dry;
};

static const char *const reasons[FOUND_KINDS] = {
	[FOUND_SOUND] = "was damaged, and is sound again",
	[FOUND_BYTES] = "its bytes do not match its digest",
	[FOUND_SIZE] = "its file is too short or too long",
	[FOUND_UNREADABLE] = "the disk cannot read its file",
	[FOUND_MISSING] = "its file is missing",
	[FOUND_WAITING] = "was damaged, and did not come again since",
	[FOUND_MANIFEST] = "its bytes do not match its digest",
	[FOUND_LACKING] = "is named there, and missing",
	[FOUND_FILE] = "nothing knows it",
};

/* "app@sha256:…", "sha256:…", or a path */
static void name_print(const struct store_finding *finding, struct buf *out)
{
	if (finding->kind == FOUND_MANIFEST)
		buf_addf(out, "manifest %s@",
			 repository_text(finding->repository).s);
	else if (finding->kind == FOUND_FILE)
		buf_addf(out, "file %s", finding->path ? finding->path : "of ");
	else
		buf_addf(out, "blob ");
	if (finding->digest)
		buf_addf(out, "%s", digest_text(finding->digest).s);
	if (finding->kind == FOUND_FILE)
		buf_addf(out, " (%s)", size_text(finding->size).s);
}

static void losers_print(const struct store_finding *finding, struct buf *out)
{
	buf_addf(out, "; push it again to %s",
		 repository_text(finding->repository).s);
	if (finding->manifest)
		buf_addf(out, ", whose manifest %s names it",
			 digest_text(finding->manifest).s);
	if (finding->others)
		buf_addf(out, " (%llu more %s it)",
			 (unsigned long long)finding->others,
			 finding->others == 1 ? "has" : "have");
}

/* What became of it. */
static void fate_print(const struct store_finding *finding, bool dry,
		       struct buf *out)
{
	switch (finding->kind) {
	case FOUND_SOUND:
	case FOUND_UNCHECKED:
	case FOUND_FILE:
		return;
	default:
		break;
	}
	if (finding->repository && repository_is_local(finding->repository))
		losers_print(finding, out);
	else
		buf_addf(out, "; %s, the next pull fetches it",
			 dry ? "would be dropped" : "dropped");
}

static void tell(const struct store_finding *finding, void *arg)
{
	const struct teller *teller = arg;
	auto_buf struct buf line = { 0 };

	name_print(finding, &line);
	buf_addf(&line, ": %s",
		 finding->why ? finding->why : reasons[finding->kind]);
	fate_print(finding, teller->dry, &line);
	const struct saying *saying = teller->progress.saying;
	saying->line(saying->arg, line.at);
}

/* What is bad is read twice. */
static bool progress(int64_t bytes, int64_t all, void *arg)
{
	struct teller *teller = arg;

	return progress_say(&teller->progress, bytes < all ? bytes : all, all);
}

static void say_verified(const struct store_verified *verified,
			 const struct saying *saying)
{
	auto_buf struct buf line = { 0 };

	buf_addf(&line, "Read back: %llu blob%s (%s), %llu manifest%s.",
		 (unsigned long long)verified->blobs.number,
		 verified->blobs.number == 1 ? "" : "s",
		 size_text(verified->blobs.bytes).s,
		 (unsigned long long)verified->manifests,
		 verified->manifests == 1 ? "" : "s");
	if (store_findings(verified) == 0)
		buf_addf(&line, " Everything is as it should be.");
	saying->line(saying->arg, line.at);
}

/* --------------------------------------------------------------- verifying */

static int verify_run(const struct verify *verify, struct store *store,
		      const struct saying *saying, struct err *e)
{
	struct teller teller = {
		.progress = { .saying = saying },
		.dry = verify->dry,
	};
	struct store_verify how = {
		.rate = verify->rate,
		.dry = verify->dry,
		.tell = tell,
		.progress = progress,
		.arg = &teller,
	};
	struct store_verified verified;

	if (store_verify(store, &how, &verified, e) < 0)
		return -1;
	say_verified(&verified, saying);
	uint64_t findings = store_findings(&verified);
	if (findings == 0)
		return 0;
	return err_set(e, ERR_CORRUPT, "%llu thing%s not as %s should be",
		       (unsigned long long)findings,
		       findings == 1 ? " is" : "s are",
		       findings == 1 ? "it" : "they");
}

int verify_answer(const char *request, const struct saying *saying, void *arg,
		  struct err *e)
{
	struct verify verify;

	if (sscanf(request, "verify %" SCNd64 " %" SCNd64, &verify.rate,
		   &verify.dry) != 2)
		return err_set(e, ERR_USAGE,
			       "the process that serves is of another version");
	return verify_run(&verify, arg, saying, e);
}

static int verify_alone(struct store *store, const struct saying *saying,
			void *arg, struct err *e)
{
	return verify_run(arg, store, saying, e);
}

static int verify_do(struct verify *verify, const char *data,
		     const struct saying *saying, struct err *e)
{
	char request[64];
	struct errand errand = { request, verify_alone, verify };

	snprintf(request, sizeof(request), "verify %" PRId64 " %" PRId64,
		 verify->rate, verify->dry);
	return errand_run(&errand, data, saying, e);
}

/* ---------------------------------------------------------------- the verb */

int cli_verify(const struct call *call, struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_with(screen_close) struct screen screen;
	auto_free char **rest = NULL;
	struct verify verify = { .rate = -1 };
	const struct own_option own[] = {
		{ "--dry-run", .out = &verify.dry },
		{ "--rate", .read = config_size, .out = &verify.rate },
		{ 0 },
	};

	screen_open(&screen);
	if (own_options_take(call->args, own, &rest, e) < 0 ||
	    options_load_as_owner(rest, &config, e) < 0)
		return -1;
	return verify_do(&verify, config->data, &screen.saying, e);
}

void cli_verify_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(
		out,
		"usage: private-registry verify [--dry-run] [--rate SIZE] "
		"[--config FILE]\n"
		"                               [--KEY VALUE]...\n"
		"\n"
		"Reads everything back from the disk, now, and tells what does "
		"not match its\n"
		"digest, what images name and is not there, and what lies "
		"around unknown. The\n"
		"registry does so by itself, too, see verify.every. If one "
		"serves the data\n"
		"directory, it is asked to do it; pushes and pulls go on.\n"
		"\n"
		"A damaged blob that is only cached is dropped, and the next "
		"pull fetches it.\n"
		"One that was pushed is set aside in quarantine/ and unknown "
		"to whoever asks,\n"
		"until somebody pushes it again.\n"
		"\n"
		"Examples\n"
		"  private-registry verify\n"
		"  private-registry verify --rate none --data /srv/images\n"
		"\n"
		"Options\n"
		"  --dry-run               only tell\n"
		"  --rate SIZE             bytes a second at most, or none. "
		"Without it:\n"
		"                          verify.rate, and none if no registry "
		"serves\n" COMMON_OPTIONS "\n"
		"Exit status\n"
		"  0 everything is as it should be, 1 something is not or it "
		"failed, 2 the\n"
		"  command line or the configuration is wrong, 3 a process uses "
		"the data\n"
		"  directory and does not listen\n");
}
