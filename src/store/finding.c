/*
 * What was found, on its way to whoever wants to know: the one who asked, the
 * log, the counts.
 */
#include "base/log.h"
#include "store/scrub.h"

/* Somebody has to push something again. */
static bool is_loss(const struct store_finding *finding)
{
	return finding->repository && repository_is_local(finding->repository);
}

static enum log_level level_of(const struct store_finding *finding)
{
	if (finding->kind == FOUND_SOUND)
		return LOG_INFO;
	return is_loss(finding) ? LOG_ERROR : LOG_WARN;
}

static void finding_log(const struct store_finding *finding)
{
	static const char *const words[FOUND_KINDS] = {
		[FOUND_SOUND] = "sound",
		[FOUND_BYTES] = "bytes",
		[FOUND_SIZE] = "size",
		[FOUND_UNREADABLE] = "unreadable",
		[FOUND_MISSING] = "missing",
		[FOUND_WAITING] = "waiting",
		[FOUND_UNCHECKED] = "unchecked",
		[FOUND_MANIFEST] = "manifest",
		[FOUND_LACKING] = "lacking",
		[FOUND_FILE] = "file",
	};
	struct log_line line;

	log_begin(&line, level_of(finding), "verify");
	log_text(&line, "found", words[finding->kind]);
	if (finding->repository)
		log_text(&line, "repository",
			 repository_text(finding->repository).s);
	if (finding->others)
		log_number(&line, "others", (int64_t)finding->others);
	if (finding->manifest)
		log_text(&line, "manifest", digest_text(finding->manifest).s);
	if (finding->digest)
		log_text(&line, "digest", digest_text(finding->digest).s);
	if (finding->path)
		log_text(&line, "path", finding->path);
	if (finding->why)
		log_text(&line, "error", finding->why);
	log_send(&line);
}

/* Whoever verifies without serving tells of it in another way. */
void scrub_tell(struct scrub *scrub, const struct store_finding *finding)
{
	scrub->out->found[finding->kind]++;
	if (scrub->how->tell)
		scrub->how->tell(finding, scrub->how->arg);
	if (scrub->store->scrubber.serving && !scrub->how->dry)
		finding_log(finding);
}
