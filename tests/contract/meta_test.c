/*
 * The verbs of meta/meta.h on a fresh database: what each promises.
 */
#include "store_lab.h"

#include <string.h>

#include "base/clock.h"

/* ------------------------------------------------------ words of this file */

static struct meta_session session_new(struct lab *lab, struct repository at)
{
	struct meta_session session = { .repository = at, .size = -1 };
	struct err e;

	OK(meta_session_put(lab->meta, &session, &e), e);
	return session;
}

struct arriving {
	struct meta_arrival arrival;
	struct meta_blob winner;
};

static int arrival_put(struct lab *lab, void *arg, struct err *e)
{
	struct arriving *it = arg;
	struct meta_session session = {
		.repository = it->arrival.repository,
		.size = -1,
	};

	if (meta_session_put(lab->meta, &session, e) < 0)
		return -1;
	it->arrival.id = session.id;
	return meta_blob_put(lab->meta, &it->arrival, &it->winner, e);
}

/* An arrival without a file; the row that stands after. */
static uint64_t arrive(struct lab *lab, struct repository at, const char *bytes)
{
	struct arriving it = {
		.arrival = {
			.repository = at,
			.digest = digest_of(bytes),
			.size = (int64_t)strlen(bytes),
		},
	};
	struct err e;

	OK(lab_do(lab, LAB_CLIENT, arrival_put, &it, sizeof(it), &e), e);
	return it.winner.id;
}

static int peek(struct lab *lab, struct repository at, const char *bytes,
		struct meta_blob *out, struct err *e)
{
	struct digest digest = digest_of(bytes);

	return meta_blob_peek(lab->meta, &at, &digest, out, e);
}

static bool sees(struct lab *lab, struct repository at, const char *bytes)
{
	struct meta_blob blob;
	struct err e;

	return peek(lab, at, bytes, &blob, &e) == 0;
}

static bool stale(struct lab *lab, struct repository at, const char *bytes)
{
	struct meta_blob blob;
	struct err e;

	OK(peek(lab, at, bytes, &blob, &e), e);
	return blob.stale;
}

static bool taken(struct lab *lab, const char *name)
{
	struct repository at = local(name);
	bool taken;
	struct err e;

	OK(meta_repository_peek(lab->meta, &at.name, &taken, &e), e);
	return taken;
}

static void drop_image(struct lab *lab, struct repository at,
		       const char *config, const char *layer)
{
	struct digest digest = image_of(config, layer);
	struct err e;

	OK(lab_drop(lab, at, reference_to_digest(&digest), &e), e);
}

/* ---------------------------------------------------------- repositories */

static void a_name_is_taken_by_its_first_manifest_and_for_good(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	assert_false(taken(lab, "app"));
	arrive(lab, local("app"), "config");
	assert_false(taken(lab, "app"));
	lab_image(lab, local("app"), "v1", "config", NULL);
	assert_true(taken(lab, "app"));
	drop_image(lab, local("app"), "config", NULL);
	assert_true(taken(lab, "app"));
}

static void an_upstream_repository_takes_no_local_name(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_image(lab, upstream("app"), "v1", "config", NULL);
	assert_false(taken(lab, "app"));
	assert_false(lab_has_manifest(lab, local("app"), by_tag("v1")));
	assert_true(lab_has_manifest(lab, upstream("app"), by_tag("v1")));
}

/* ----------------------------------------------------------------- blobs */

static void a_local_repository_sees_only_what_it_links(void **state)
{
	struct lab *lab = *state;
	struct meta_blob blob;
	struct err e;

	lab_open(lab);
	arrive(lab, local("app"), "layer");
	assert_true(sees(lab, local("app"), "layer"));
	assert_false(sees(lab, local("other"), "layer"));
	assert_false(sees(lab, upstream("app"), "layer"));
	FAILS(peek(lab, local("app"), "nothing", &blob, &e), e,
	      ERR_BLOB_UNKNOWN);
}

static void an_upstream_repository_sees_what_its_manifests_name(void **state)
{
	struct lab *lab = *state;
	struct meta_blob blob;
	struct err e;

	lab_open(lab);
	lab_image(lab, upstream("app"), "v1", "config", "layer");
	OK(peek(lab, upstream("app"), "layer", &blob, &e), e);
	assert_int_equal(blob.id, 0);
	assert_int_equal(blob.size, strlen("layer"));

	uint64_t id = arrive(lab, upstream("app"), "layer");
	OK(peek(lab, upstream("app"), "layer", &blob, &e), e);
	assert_int_equal(blob.id, id);
	assert_false(sees(lab, upstream("other"), "layer"));
}

static void of_two_arrivals_the_first_stays(void **state)
{
	struct lab *lab = *state;
	uint64_t first;

	lab_open(lab);
	first = arrive(lab, local("app"), "layer");
	assert_int_equal(arrive(lab, local("other"), "layer"), first);
	assert_true(sees(lab, local("other"), "layer"));
	/* The file of the second is nobody's yet. */
	assert_int_equal(lab_number(lab, "SELECT id FROM session"), first + 1);
}

static void a_missing_incarnation_gives_way_to_one_that_is_there(void **state)
{
	struct lab *lab = *state;
	struct meta_arrival arrival = {
		.repository = local("other"),
		.digest = digest_of("layer"),
		.size = 5,
	};
	struct meta_blob blob;
	struct err e;

	lab_open(lab);
	arrival.missing = arrive(lab, local("app"), "layer");
	arrival.id = session_new(lab, local("other")).id;
	OK(meta_blob_put(lab->meta, &arrival, &blob, &e), e);
	assert_int_equal(blob.id, arrival.id);
	OK(peek(lab, local("app"), "layer", &blob, &e), e);
	assert_int_equal(blob.id, arrival.id);

	/* Who says so too late finds it mended, and is superfluous. */
	arrival.id = session_new(lab, local("other")).id;
	OK(meta_blob_put(lab->meta, &arrival, &blob, &e), e);
	assert_int_not_equal(blob.id, arrival.id);
}

/* ----------------------------------------------------------------- links */

static void a_mount_needs_a_source_that_sees_the_blob(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app"), other = local("other");
	struct repository third = local("third");
	struct digest layer = digest_of("layer");
	struct err e;

	lab_open(lab);
	arrive(lab, app, "layer");
	FAILS(meta_link_mount(lab->meta, &third, &other, &layer, &e), e,
	      ERR_BLOB_UNKNOWN);
	OK(meta_link_mount(lab->meta, &app, &other, &layer, &e), e);
	assert_true(sees(lab, other, "layer"));
}

static void nothing_is_mounted_that_has_not_arrived(void **state)
{
	struct lab *lab = *state;
	struct repository nginx = upstream("nginx"), app = local("app");
	struct digest layer = digest_of("layer");
	struct err e;

	lab_open(lab);
	lab_image(lab, nginx, "v1", "config", "layer");
	FAILS(meta_link_mount(lab->meta, &nginx, &app, &layer, &e), e,
	      ERR_BLOB_UNKNOWN);
	FAILS(meta_link_put(lab->meta, &nginx, &layer, &e), e,
	      ERR_BLOB_UNKNOWN);
}

static void a_link_goes_stale_unless_touched_or_named(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct digest layer = digest_of("layer");
	struct err e;

	lab_open(lab);
	arrive(lab, app, "layer");
	arrive(lab, app, "config");
	lab_image(lab, app, "v1", "config", NULL);
	assert_false(stale(lab, app, "layer"));
	lab_age(lab);
	assert_true(stale(lab, app, "layer"));
	assert_false(stale(lab, app, "config"));
	OK(meta_link_touch(lab->meta, &app, &layer, &e), e);
	assert_false(stale(lab, app, "layer"));
	OK(meta_link_drop(lab->meta, &app, &layer, &e), e);
	FAILS(meta_link_touch(lab->meta, &app, &layer, &e), e,
	      ERR_BLOB_UNKNOWN);
}

static void a_dropped_manifest_leaves_its_links_fresh(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	arrive(lab, local("app"), "config");
	lab_image(lab, local("app"), "v1", "config", NULL);
	lab_age(lab);
	drop_image(lab, local("app"), "config", NULL);
	assert_false(stale(lab, local("app"), "config"));
}

static void a_link_in_use_is_not_dropped(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct digest config = digest_of("config");
	struct err e;

	lab_open(lab);
	arrive(lab, app, "config");
	lab_image(lab, app, "v1", "config", NULL);
	FAILS(meta_link_drop(lab->meta, &app, &config, &e), e, ERR_IN_USE);
	assert_true(sees(lab, app, "config"));
	drop_image(lab, app, "config", NULL);
	OK(meta_link_drop(lab->meta, &app, &config, &e), e);
	assert_false(sees(lab, app, "config"));
	FAILS(meta_link_drop(lab->meta, &app, &config, &e), e,
	      ERR_BLOB_UNKNOWN);
}

/* ------------------------------------------------------------- manifests */

static void a_manifest_comes_back_byte_for_byte(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct reference references[] = { by_tag("v1"),
					  by_digest("config+layer") };
	struct meta_manifest found;
	struct err e;

	lab_open(lab);
	arrive(lab, app, "config");
	arrive(lab, app, "layer");
	lab_image(lab, app, "v1", "config", "layer");
	for (size_t i = 0; i < array_size(references); i++) {
		OK(meta_manifest_peek(lab->meta, &app, &references[i],
				      lab->arena, &found, &e),
		   e);
		assert_true(span_is(found.bytes, "config+layer"));
		assert_true(span_starts(found.media_type, "application/vnd."));
		assert_true(digest_eq(&found.digest, &references[1].digest));
	}
	assert_int_equal(found.checked, 0);
}

static void a_manifest_without_its_blobs_is_refused_whole(void **state)
{
	struct lab *lab = *state;
	struct digest layer = digest_of("layer");
	struct err e;

	lab_open(lab);
	arrive(lab, local("app"), "config");
	arrive(lab, local("other"), "layer");
	FAILS(lab_put_image(lab, local("app"), "v1", "config", "layer", &e), e,
	      ERR_MANIFEST_BLOB_UNKNOWN);
	assert_non_null(strstr(e.message, digest_text(&layer).s));
	assert_false(
		lab_has_manifest(lab, local("app"), by_digest("config+layer")));
	assert_false(taken(lab, "app"));
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM named"), 0);
}

static void put_named(struct lab *lab, struct descriptor *named, size_t count)
{
	struct repository app = local("app");
	struct manifest manifest = {
		.kind = MANIFEST_INDEX,
		.media_type = "text/plain",
		.bytes = SPAN("index"),
		.digest = digest_of("index"),
		.descriptors = named,
		.count = count,
	};
	struct reference reference = by_digest("index");
	struct meta_put put = {
		.repository = &app,
		.manifest = &manifest,
		.reference = &reference,
	};
	struct err e;

	OK(meta_manifest_put(lab->meta, &put, &e), e);
}

static void foreign_layers_and_children_of_an_index_may_be_missing(void **state)
{
	struct lab *lab = *state;
	struct descriptor named[] = {
		{ .role = DESCRIPTOR_LAYER,
		  .digest = digest_of("windows"),
		  .foreign = true },
		{ .role = DESCRIPTOR_MANIFEST, .digest = digest_of("child") },
	};

	lab_open(lab);
	put_named(lab, named, array_size(named));
	assert_true(lab_has_manifest(lab, local("app"), by_digest("index")));
	assert_false(sees(lab, local("app"), "windows"));
}

static void a_put_again_changes_nothing(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	arrive(lab, local("app"), "config");
	lab_image(lab, local("app"), "v1", "config", NULL);
	lab_image(lab, local("app"), "v1", "config", NULL);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM manifest"), 1);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM named"), 1);
}

static void a_manifest_goes_with_its_tags(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct digest digest = image_of("config", NULL);
	struct err e;

	lab_open(lab);
	arrive(lab, app, "config");
	lab_image(lab, app, "v1", "config", NULL);
	lab_image(lab, app, "v2", "config", NULL);
	OK(meta_manifest_drop(lab->meta, &app, &digest, NULL, &e), e);
	assert_false(lab_has_manifest(lab, app, by_tag("v1")));
	assert_false(lab_has_manifest(lab, app, by_tag("v2")));
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM named"), 0);
	FAILS(meta_manifest_drop(lab->meta, &app, &digest, NULL, &e), e,
	      ERR_MANIFEST_UNKNOWN);
}

/* ------------------------------------------------------------------ tags */

static void a_tag_moves_and_leaves_the_manifest(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct tag v1 = tag_of("v1");
	struct err e;

	lab_open(lab);
	arrive(lab, app, "one");
	arrive(lab, app, "two");
	lab_image(lab, app, "v1", "one", NULL);
	lab_image(lab, app, "v1", "two", NULL);
	assert_true(lab_has_manifest(lab, app, by_digest("one+")));
	OK(meta_tag_drop(lab->meta, &app, &v1, NULL, &e), e);
	assert_false(lab_has_manifest(lab, app, by_tag("v1")));
	assert_true(lab_has_manifest(lab, app, by_digest("two+")));
	FAILS(meta_tag_drop(lab->meta, &app, &v1, NULL, &e), e,
	      ERR_MANIFEST_UNKNOWN);
}

static void a_confirmation_makes_a_tag_fresh(void **state)
{
	struct lab *lab = *state;
	struct repository nginx = upstream("nginx");
	struct reference v1 = by_tag("v1");
	struct digest digest = image_of("config", NULL);
	struct digest other = digest_of("other");
	struct meta_manifest found;
	struct err e;

	lab_open(lab);
	FAILS(meta_tag_confirm(lab->meta, &nginx, &v1.tag, &digest, &e), e,
	      ERR_MANIFEST_UNKNOWN);
	lab_image(lab, nginx, NULL, "config", NULL);
	OK(meta_tag_confirm(lab->meta, &nginx, &v1.tag, &digest, &e), e);
	FAILS(meta_tag_confirm(lab->meta, &nginx, &v1.tag, &other, &e), e,
	      ERR_MANIFEST_UNKNOWN);
	OK(meta_manifest_peek(lab->meta, &nginx, &v1, lab->arena, &found, &e),
	   e);
	assert_in_range(clock_wall_s() - found.checked, 0, 60);
}

static void tags_come_in_pages_in_the_order_of_their_bytes(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct meta_page page = { .limit = 2, .arena = lab->arena };
	struct err e;

	lab_open(lab);
	arrive(lab, app, "config");
	FAILS(meta_tags_peek(lab->meta, &app, &page, &e), e, ERR_NAME_UNKNOWN);
	lab_image(lab, app, "b", "config", NULL);
	lab_image(lab, app, "a", "config", NULL);
	lab_image(lab, app, "B", "config", NULL);

	OK(meta_tags_peek(lab->meta, &app, &page, &e), e);
	assert_int_equal(page.count, 2);
	assert_string_equal(page.names[0], "B");
	assert_string_equal(page.names[1], "a");
	assert_true(page.more);
	page.after = "a";
	OK(meta_tags_peek(lab->meta, &app, &page, &e), e);
	assert_int_equal(page.count, 1);
	assert_string_equal(page.names[0], "b");
	assert_false(page.more);
}

/* -------------------------------------------------------------- sessions */

static void an_upload_is_found_by_its_key_and_repository(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app"), other = local("other");
	struct meta_session found;
	struct err e;

	lab_open(lab);
	struct meta_session session = session_new(lab, app);
	struct span key = span_of(session.key);
	OK(meta_session_find(lab->meta, &app, key, &found, &e), e);
	assert_int_equal(found.id, session.id);
	FAILS(meta_session_find(lab->meta, &other, key, &found, &e), e,
	      ERR_UPLOAD_UNKNOWN);
	FAILS(meta_session_find(lab->meta, &app, SPAN("x"), &found, &e), e,
	      ERR_UPLOAD_UNKNOWN);
	OK(meta_session_drop(lab->meta, &session.id, 1, &e), e);
	OK(meta_session_drop(lab->meta, &session.id, 1, &e), e);
	FAILS(meta_session_find(lab->meta, &app, key, &found, &e), e,
	      ERR_UPLOAD_UNKNOWN);
}

static void a_fetch_is_found_by_its_digest(void **state)
{
	struct lab *lab = *state;
	struct meta_session session = {
		.repository = upstream("nginx"),
		.is_fetch = true,
		.digest = digest_of("layer"),
		.size = 5,
	};
	struct meta_session found;
	struct err e;

	lab_open(lab);
	FAILS(meta_session_find_fetch(lab->meta, &session.repository,
				      &session.digest, &found, &e),
	      e, ERR_BLOB_UNKNOWN);
	OK(meta_session_put(lab->meta, &session, &e), e);
	OK(meta_session_find_fetch(lab->meta, &session.repository,
				   &session.digest, &found, &e),
	   e);
	assert_int_equal(found.id, session.id);
	assert_int_equal(found.size, 5);
	assert_string_equal(found.repository.upstream, "docker.io");
	FAILS(meta_session_find(lab->meta, &session.repository,
				span_of(session.key), &found, &e),
	      e, ERR_UPLOAD_UNKNOWN);
}

static void an_id_is_never_used_again(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	uint64_t first = session_new(lab, local("app")).id;
	OK(meta_session_drop(lab->meta, &first, 1, &e), e);
	lab_reopen(lab);
	assert_true(session_new(lab, local("app")).id > first);
}

static void using_an_upload_keeps_it_from_being_swept(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct meta_session found;
	struct err e;

	lab_open(lab);
	struct meta_session session = session_new(lab, app);
	lab_age(lab);
	OK(meta_session_find(lab->meta, &app, span_of(session.key), &found, &e),
	   e);
	assert_int_equal(lab_number(lab, "SELECT touched FROM session"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALSO_CLIENTS(
			a_name_is_taken_by_its_first_manifest_and_for_good),
		ALSO_CLIENTS(an_upstream_repository_takes_no_local_name),
		ALSO_CLIENTS(a_local_repository_sees_only_what_it_links),
		ALSO_CLIENTS(
			an_upstream_repository_sees_what_its_manifests_name),
		ALSO_CLIENTS(of_two_arrivals_the_first_stays),
		ALSO_CLIENTS(
			a_missing_incarnation_gives_way_to_one_that_is_there),
		ALSO_CLIENTS(a_mount_needs_a_source_that_sees_the_blob),
		ALSO_CLIENTS(nothing_is_mounted_that_has_not_arrived),
		EACH_PARTY(a_link_goes_stale_unless_touched_or_named),
		EACH_PARTY(a_dropped_manifest_leaves_its_links_fresh),
		ALSO_CLIENTS(a_link_in_use_is_not_dropped),
		ALSO_CLIENTS(a_manifest_comes_back_byte_for_byte),
		ALSO_CLIENTS(a_manifest_without_its_blobs_is_refused_whole),
		ALSO_CLIENTS(
			foreign_layers_and_children_of_an_index_may_be_missing),
		ALSO_CLIENTS(a_put_again_changes_nothing),
		ALSO_CLIENTS(a_manifest_goes_with_its_tags),
		ALSO_CLIENTS(a_tag_moves_and_leaves_the_manifest),
		ALSO_CLIENTS(a_confirmation_makes_a_tag_fresh),
		ALSO_CLIENTS(tags_come_in_pages_in_the_order_of_their_bytes),
		ALSO_CLIENTS(an_upload_is_found_by_its_key_and_repository),
		ALSO_CLIENTS(a_fetch_is_found_by_its_digest),
		ALSO_CLIENTS(an_id_is_never_used_again),
		EACH_PARTY(using_an_upload_keeps_it_from_being_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
