#include "store_lab.h"

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "meta/db.h"
#include "oci/hash.h"

void assert_ok(int result, const struct err *e)
{
	if (result < 0)
		fail_msg("%s: %s", err_kind_text(e->kind), e->message);
}

/* ------------------------------------------------------ the data directory */

static int setup(void **state, enum lab_party elsewhere)
{
	struct lab *lab = mem_alloc(sizeof(*lab));

	strcpy(lab->path, "/tmp/lab-XXXXXX");
	lab->arena = arena_open();
	*state = lab;
	if (!mkdtemp(lab->path))
		return -1;
	return elsewhere ? elsewhere_begin(lab, elsewhere) : 0;
}

int lab_setup(void **state)
{
	return setup(state, LAB_NOBODY);
}

int clients_setup(void **state)
{
	return setup(state, LAB_CLIENT);
}

int keeper_setup(void **state)
{
	return setup(state, LAB_KEEPER);
}

static int one_remove(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int lab_teardown(void **state)
{
	struct lab *lab = *state;

	lab_close(lab);
	int failed = lab->elsewhere ? elsewhere_end(lab) : 0;
	arena_close(&lab->arena);
	nftw(lab->path, one_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(lab);
	return failed;
}

void lab_renew(void **state)
{
	struct lab *lab = *state;
	enum lab_party elsewhere = lab->elsewhere;

	assert_int_equal(lab_teardown(state), 0);
	assert_int_equal(setup(state, elsewhere), 0);
}

void lab_open(struct lab *lab)
{
	struct err e;

	OK(store_open(lab->path, &lab->store, &e), e);
	lab->meta = store_meta(lab->store);
	OK(elsewhere_open(lab, &e), e);
}

void lab_open_over(struct lab *lab, struct blob_store *blobs)
{
	struct err e;
	char path[96];

	snprintf(path, sizeof(path), "%s/registry.db", lab->path);
	OK(meta_open(path, &lab->meta, &e), e);
	lab->faults = blob_fault_open(blobs);
	OK(store_open_with(lab->path, lab->meta, lab->faults, &lab->store, &e),
	   e);
	OK(elsewhere_open(lab, &e), e);
}

void lab_open_faulty(struct lab *lab)
{
	struct blob_store *files;
	struct err e;

	OK(blob_fs_open(lab->path, &files, &e), e);
	lab_open_over(lab, files);
}

void lab_close(struct lab *lab)
{
	if (lab->store)
		store_close(&lab->store);
	lab->meta = NULL;
	lab->faults = NULL;
}

void lab_reopen(struct lab *lab)
{
	lab_close(lab);
	lab_open(lab);
}

static void pause_met(void *arg)
{
	struct lab *lab = arg;
	void (*meanwhile)(struct lab *) = lab->meanwhile;

	lab->meanwhile = NULL;
	meanwhile(lab);
}

void lab_at_blob(struct lab *lab, enum lab_side side, enum blob_verb verb,
		 unsigned nth, void (*meanwhile)(struct lab *))
{
	struct blob_fault fault = {
		.verb = verb,
		.nth = nth,
		.after = side == LAB_AFTER,
		.meanwhile = pause_met,
		.arg = lab,
	};

	lab->meanwhile = meanwhile;
	blob_fault_set(lab->faults, &fault);
}

void lab_was_paused(const struct lab *lab)
{
	assert_null(lab->meanwhile);
}

/* ---------------------------------------------------------------- values */

struct repository local(const char *name)
{
	struct repository repository = { 0 };
	struct err e;

	OK(name_parse(span_of(name), &repository.name, &e), e);
	return repository;
}

struct repository upstream(const char *name)
{
	struct repository repository = local(name);

	strcpy(repository.upstream, "docker.io");
	return repository;
}

struct tag tag_of(const char *text)
{
	struct tag tag;
	struct err e;

	OK(tag_parse(span_of(text), &tag, &e), e);
	return tag;
}

struct digest digest_of(const char *bytes)
{
	return hash_of(DIGEST_SHA256, span_of(bytes));
}

struct reference by_tag(const char *text)
{
	return (struct reference){ .kind = REFERENCE_TAG, .tag = tag_of(text) };
}

struct reference by_digest(const char *bytes)
{
	struct digest digest = digest_of(bytes);

	return reference_to_digest(&digest);
}

/* ---------------------------------------------------------------- clients */

struct text text_of(const char *from)
{
	struct text text = { 0 };

	assert_true(strlen(from) < sizeof(text.s));
	strcpy(text.s, from);
	return text;
}

struct arriving {
	struct repository at;
	struct text bytes;
	struct digest digest;
};

static int upload(struct lab *lab, void *arg, struct err *e)
{
	struct arriving *it = arg;
	auto_of(incoming) struct incoming *incoming = NULL;

	if (incoming_open_upload(lab->store, &it->at, &incoming, e) < 0)
		return -1;
	if (incoming_write(incoming, span_of(it->bytes.s), e) < 0)
		return -1;
	return incoming_commit(&incoming, &it->digest, e);
}

static int fetch(struct lab *lab, void *arg, struct err *e)
{
	struct arriving *it = arg;
	auto_of(incoming) struct incoming *incoming = NULL;

	if (incoming_open_fetch(lab->store, &it->at, &it->digest, -1, &incoming,
				e) < 0 ||
	    incoming_write(incoming, span_of(it->bytes.s), e) < 0)
		return -1;
	return incoming_commit(&incoming, &it->digest, e);
}

int lab_upload(struct lab *lab, struct repository repository, const char *bytes,
	       const char *promised, struct err *e)
{
	struct arriving it = { repository, text_of(bytes),
			       digest_of(promised) };

	return lab_do(lab, LAB_CLIENT, upload, &it, sizeof(it), e);
}

void lab_push_as(struct lab *lab, enum lab_party who,
		 struct repository repository, const char *bytes)
{
	struct arriving it = { repository, text_of(bytes), digest_of(bytes) };
	struct err e;

	OK(lab_do(lab, who, upload, &it, sizeof(it), &e), e);
}

void lab_push(struct lab *lab, struct repository repository, const char *bytes)
{
	lab_push_as(lab, LAB_CLIENT, repository, bytes);
}

void lab_fetch_as(struct lab *lab, enum lab_party who,
		  struct repository repository, const char *bytes)
{
	struct arriving it = { repository, text_of(bytes), digest_of(bytes) };
	struct err e;

	OK(lab_do(lab, who, fetch, &it, sizeof(it), &e), e);
}

void lab_fetch(struct lab *lab, struct repository repository, const char *bytes)
{
	lab_fetch_as(lab, LAB_CLIENT, repository, bytes);
}

static struct descriptor descriptor_of(int role, const char *bytes)
{
	return (struct descriptor){
		.role = role,
		.digest = digest_of(bytes),
		.size = (int64_t)strlen(bytes),
	};
}

static char *image_text(struct buf *buf, const char *config, const char *layer)
{
	buf_addf(buf, "%s+%s", config, layer ? layer : "");
	return buf->at;
}

struct digest image_of(const char *config, const char *layer)
{
	auto_buf struct buf text = { 0 };

	return digest_of(image_text(&text, config, layer));
}

struct image {
	struct repository at;
	struct reference reference;
	struct text config;
	struct text layer;
};

static int image_put(struct lab *lab, void *arg, struct err *e)
{
	struct image *image = arg;
	const char *layer = image->layer.s[0] ? image->layer.s : NULL;
	auto_buf struct buf text = { 0 };
	struct descriptor named[2] = {
		descriptor_of(DESCRIPTOR_CONFIG, image->config.s),
	};
	struct manifest manifest = {
		.kind = MANIFEST_IMAGE,
		.media_type = "application/vnd.oci.image.manifest.v1+json",
		.bytes = span_of(image_text(&text, image->config.s, layer)),
		.digest = image_of(image->config.s, layer),
		.descriptors = named,
		.count = layer ? 2 : 1,
	};
	struct meta_put put = {
		.repository = &image->at,
		.manifest = &manifest,
		.reference = &image->reference,
	};

	if (layer)
		named[1] = descriptor_of(DESCRIPTOR_LAYER, layer);
	return store_put_manifest(lab->store, &put, e);
}

int lab_put_image(struct lab *lab, struct repository repository,
		  const char *tag, const char *config, const char *layer,
		  struct err *e)
{
	struct digest digest = image_of(config, layer);
	struct image image = {
		.at = repository,
		.reference = tag ? by_tag(tag) : reference_to_digest(&digest),
		.config = text_of(config),
		.layer = text_of(layer ? layer : ""),
	};

	return lab_do(lab, LAB_CLIENT, image_put, &image, sizeof(image), e);
}

void lab_image(struct lab *lab, struct repository repository, const char *tag,
	       const char *config, const char *layer)
{
	struct err e;

	OK(lab_put_image(lab, repository, tag, config, layer, &e), e);
}

struct named {
	struct repository at;
	struct repository from;
	struct digest digest;
	struct reference reference;
};

static int manifest_drop(struct lab *lab, void *arg, struct err *e)
{
	struct named *it = arg;

	return store_drop_manifest(lab->store, &it->at, &it->reference, NULL,
				   e);
}

int lab_drop(struct lab *lab, struct repository repository,
	     struct reference reference, struct err *e)
{
	struct named it = { .at = repository, .reference = reference };

	return lab_do(lab, LAB_CLIENT, manifest_drop, &it, sizeof(it), e);
}

static int mount(struct lab *lab, void *arg, struct err *e)
{
	struct named *it = arg;

	return store_mount(lab->store, &it->from, &it->at, &it->digest, e);
}

int lab_mount(struct lab *lab, struct repository from, struct repository to,
	      const char *bytes, struct err *e)
{
	struct named it = { .at = to,
			    .from = from,
			    .digest = digest_of(bytes) };

	return lab_do(lab, LAB_CLIENT, mount, &it, sizeof(it), e);
}

static int blob_unlink(struct lab *lab, void *arg, struct err *e)
{
	struct named *it = arg;

	return store_unlink(lab->store, &it->at, &it->digest, e);
}

int lab_unlink(struct lab *lab, struct repository repository, const char *bytes,
	       struct err *e)
{
	struct named it = { .at = repository, .digest = digest_of(bytes) };

	return lab_do(lab, LAB_CLIENT, blob_unlink, &it, sizeof(it), e);
}

static int pull(struct lab *lab, void *arg, struct err *e)
{
	struct named *it = arg;
	auto_of(arena) struct arena *arena = arena_open();
	struct meta_manifest manifest;

	if (meta_manifest_peek(lab->meta, &it->at, &it->reference, arena,
			       &manifest, e) < 0)
		return -1;
	meta_use(lab->meta, manifest.use);
	return lab->other ? meta_use_flush(lab->meta, e) : 0;
}

void lab_pull(struct lab *lab, struct repository repository,
	      struct reference reference)
{
	struct named it = { .at = repository, .reference = reference };
	struct err e;

	OK(lab_do(lab, LAB_CLIENT, pull, &it, sizeof(it), &e), e);
}

bool lab_has(struct lab *lab, struct repository repository, const char *bytes)
{
	struct digest digest = digest_of(bytes);
	struct blob_place place;
	struct err e;

	if (store_pull_blob(lab->store, &repository, &digest, &place, &e) < 0)
		return false;
	assert_int_equal(place.size, strlen(bytes));

	auto_fd int fd = place.fd;
	auto_free char *found = mem_alloc(strlen(bytes) + 1);
	OK(io_read_at(fd, 0, found, strlen(bytes), &e), e);
	assert_string_equal(found, bytes);
	return true;
}

bool lab_has_manifest(struct lab *lab, struct repository repository,
		      struct reference reference)
{
	struct meta_manifest manifest;
	struct err e;

	if (meta_manifest_peek(lab->meta, &repository, &reference, lab->arena,
			       &manifest, &e) == 0)
		return true;
	assert_int_equal(e.kind, ERR_MANIFEST_UNKNOWN);
	return false;
}

/* ------------------------------------------------------------- looking on */

static struct db *lab_database(struct lab *lab)
{
	struct db *db;
	struct err e;
	char path[96];

	snprintf(path, sizeof(path), "%s/registry.db", lab->path);
	OK(db_open(path, DB_WRITER, &db, &e), e);
	return db;
}

struct running {
	int64_t ms;
	int64_t epoch_ms;
	struct meta_epoch now;
};

static int epoch_run(struct lab *lab, void *arg, struct err *e)
{
	struct running *it = arg;

	return meta_epoch_run(lab->meta, it->ms, it->epoch_ms, &it->now, e);
}

void lab_age(struct lab *lab)
{
	struct running it = { .ms = 0 };
	struct err e;

	OK(lab_do(lab, LAB_KEEPER, epoch_run, &it, sizeof(it), &e), e);
}

int64_t lab_runs(struct lab *lab, int64_t ms)
{
	struct running it = { .ms = ms, .epoch_ms = INT64_MAX };
	struct err e;

	OK(lab_do(lab, LAB_KEEPER, epoch_run, &it, sizeof(it), &e), e);
	return it.now.ran_s;
}

int64_t lab_number(struct lab *lab, const char *sql)
{
	auto_of(db) struct db *db = lab_database(lab);
	auto_rows struct rows row;
	struct err e;

	OK(db_find(db, sql, DB_NO_ARGS, &row, &e), e);
	return row_number(&row, 0);
}

static unsigned files_seen;

static int one_count(const char *path, const struct stat *st, int type,
		     struct FTW *ftw)
{
	(void)path, (void)st, (void)ftw;
	files_seen += type == FTW_F;
	return 0;
}

unsigned lab_files(struct lab *lab, const char *directory)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", lab->path, directory);
	files_seen = 0;
	nftw(path, one_count, 16, FTW_PHYS);
	return files_seen;
}
