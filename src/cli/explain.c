/*
 * private-registry explain: what a name means to the registry that serves, and
 * what would happen if somebody asked for that image now.
 */
#include "base/clock.h"
#include "cli/image.h"
#include "cli/inside.h"
#include "cli/say.h"
#include "cli/status.h"

/* ------------------------------------------------------------- in the server
 */

struct explanation {
	const struct house *house;
	const struct saying *saying;
	const struct image *image;
	struct arena *arena;
	struct mirror_target target;
	struct mirror_prospect prospect;
};

static int tell_name(const struct explanation *it, struct err *e)
{
	const struct repository *repository = &it->target.repository;
	struct repository_text text = repository_text(repository);
	bool taken = false;

	if (!repository_is_local(repository)) {
		say_line(it->saying, "%s means %s: %s", it->image->name, text.s,
			 it->target.bare ? "a bare name that was not pushed "
					   "here is the default upstream's" :
					   "it names its upstream");
		return 0;
	}
	if (meta_repository_peek(store_meta(it->house->store),
				 &repository->name, &taken, e) < 0)
		return -1;
	say_line(it->saying, "%s means %s of this registry: %s",
		 it->image->name, text.s,
		 taken ? "it was pushed here" :
			 "no upstream is asked for such a name");
	return 0;
}

static void tell_manifest(const struct explanation *it)
{
	const struct mirror_prospect *prospect = &it->prospect;
	struct time_text age = time_text(prospect->age_ms);
	struct time_text lifetime = time_text(prospect->lifetime_ms);
	struct digest_text digest = { 0 };
	const struct saying *saying = it->saying;

	if (prospect->manifest.bytes.at)
		digest = digest_text(&prospect->manifest.digest);
	switch (prospect->kind) {
	case PROSPECT_UNKNOWN:
		say_line(saying, "manifest: unknown, answered 404");
		return;
	case PROSPECT_MISS:
		say_line(saying, "manifest: not here, %s is asked",
			 it->target.repository.upstream);
		return;
	case PROSPECT_HERE:
		say_line(saying, "manifest: %s, here for good", digest.s);
		return;
	case PROSPECT_FRESH:
		say_line(saying,
			 "manifest: %s, answered from the cache: confirmed %s "
			 "ago, believed for %s",
			 digest.s, age.s, lifetime.s);
		return;
	case PROSPECT_STALE:
		say_line(saying,
			 "manifest: %s, confirmed %s ago and believed for %s: "
			 "%s is asked by one HEAD, and the cache answers if "
			 "that takes more than %s",
			 digest.s, age.s, lifetime.s,
			 it->target.repository.upstream,
			 time_text(it->target.rules->patience_ms).s);
		return;
	}
}

/* What the manifest names, and how much of it is here. */
struct contents {
	size_t all, here;
	int64_t bytes, bytes_here;
};

static bool is_here(const struct explanation *it, const struct descriptor *at)
{
	struct meta *meta = store_meta(it->house->store);
	struct reference child = reference_to_digest(&at->digest);
	struct meta_manifest manifest;
	struct meta_blob blob;
	struct err ignored;

	if (at->role == DESCRIPTOR_MANIFEST)
		return meta_manifest_peek(meta, &it->target.repository, &child,
					  it->arena, &manifest, &ignored) == 0;
	return meta_blob_peek(meta, &it->target.repository, &at->digest, &blob,
			      &ignored) == 0 &&
	       blob.id != 0;
}

static void tell_contents(const struct explanation *it)
{
	const struct meta_manifest *found = &it->prospect.manifest;
	struct contents sum = { 0 };
	struct manifest manifest;
	struct err ignored;

	if (!found->bytes.at ||
	    manifest_parse(found->bytes, found->media_type,
			   found->digest.algorithm, it->arena, &manifest,
			   &ignored) < 0)
		return;
	for (size_t i = 0; i < manifest.count; i++) {
		const struct descriptor *at = &manifest.descriptors[i];
		bool here = is_here(it, at);

		sum.all++;
		sum.bytes += at->size;
		sum.here += here;
		sum.bytes_here += here ? at->size : 0;
	}
	if (manifest.kind == MANIFEST_INDEX)
		say_line(it->saying, "names: %zu manifests, %zu of them here",
			 sum.all, sum.here);
	else
		say_line(it->saying, "blobs: %zu of %zu here, %s of %s",
			 sum.here, sum.all, size_text(sum.bytes_here).s,
			 size_text(sum.bytes).s);
	if (found->lacks)
		say_line(it->saying,
			 "so, while %s cannot be reached, a pull is answered "
			 "404: it could not come to its end",
			 it->target.repository.upstream);
}

static void tell_upstream(const struct explanation *it)
{
	struct mirror *mirror = it->house->mirror;

	for (size_t i = 0; i < mirror_upstream_count(mirror); i++) {
		auto_buf struct buf line = { 0 };
		struct mirror_upstream_state state;

		mirror_upstream_state(mirror, i, &state);
		if (strcmp(state.name, it->target.repository.upstream) != 0)
			continue;
		upstream_tell(&state, &line);
		say_line(it->saying, "upstream %s: %s", state.name, line.at);
	}
}

static int explain(struct explanation *it, const struct api_settings *settings,
		   struct err *e)
{
	struct mirror_question question = {
		.rules = &settings->mirror,
		.name = span_of(it->image->name),
		.host = settings->host,
	};
	struct mirror *mirror = it->house->mirror;

	if (mirror_resolve(mirror, &question, &it->target, e) < 0 ||
	    tell_name(it, e) < 0 ||
	    mirror_foresee(mirror, &it->target, &it->image->reference,
			   it->arena, &it->prospect, e) < 0)
		return -1;
	tell_manifest(it);
	tell_contents(it);
	tell_upstream(it);
	return 0;
}

int explain_answer(const char *request, const struct saying *saying, void *arg,
		   struct err *e)
{
	const struct house *house = arg;
	auto_of(arena) struct arena *arena = arena_open();
	struct image image;
	struct explanation it = {
		.house = house,
		.saying = saying,
		.image = &image,
		.arena = arena,
	};
	struct span text = span_of(request);

	span_cut(&text, ' ');
	if (image_parse(text, &image, e) < 0)
		return -1;
	struct version *held = current_hold(house->api.settings);
	int failed = explain(&it, version_value(held), e);
	version_release(&held);
	return failed;
}

/* ---------------------------------------------------------------- the verb */

int cli_explain(const struct call *call, struct err *e)
{
	auto_buf struct buf request = { 0 };
	const char *typed = call->args[0];
	struct image image;

	if (!typed || strncmp(typed, "--", 2) == 0)
		return err_set(e, ERR_USAGE,
			       "which image? write private-registry explain "
			       "IMAGE");
	if (image_parse(span_of(typed), &image, e) < 0)
		return -1;
	buf_addf(&request, "explain %s", typed);
	return status_ask(call->args + 1, request.at, e);
}

void cli_explain_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(out,
		 "usage: private-registry explain IMAGE [--config FILE] "
		 "[--KEY VALUE]...\n"
		 "\n"
		 "Asks the registry that serves the data directory what would "
		 "happen if somebody\n"
		 "pulled that image now, and why: which repository it means, "
		 "whether it is here,\n"
		 "how old, and what its upstream last said. No upstream is "
		 "asked.\n"
		 "\n"
		 "Examples\n"
		 "  private-registry explain nginx:1.27\n"
		 "  private-registry explain ghcr.io/org/app --data "
		 "/srv/images\n"
		 "\n"
		 "Options\n" COMMON_OPTIONS "\n"
		 "Exit status\n"
		 "  0 it told, 1 the name means nothing there, or nobody "
		 "answered, 2 the command\n"
		 "  line or the configuration is wrong\n");
}
