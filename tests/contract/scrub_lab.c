#include "scrub_lab.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct told told;

static void note(const struct store_finding *finding, void *arg)
{
	(void)arg;
	told = (struct told){ .kind = finding->kind,
			      .pushed = finding->repository,
			      .others = finding->others };
	if (finding->repository)
		told.repository = repository_text(finding->repository);
	if (finding->path)
		snprintf(told.path, sizeof(told.path), "%s", finding->path);
	if (finding->digest)
		told.digest = *finding->digest;
}

struct verifying {
	struct store_verify how;
	struct store_verified verified;
	struct told told;
};

static int verify_do(struct lab *lab, void *arg, struct err *e)
{
	struct verifying *it = arg;

	it->how.tell = note;
	int failed = store_verify(lab->store, &it->how, &it->verified, e);
	it->told = told;
	return failed;
}

struct store_verified verify_as(struct lab *lab, enum lab_party who,
				struct store_verify how)
{
	struct verifying it = { .how = how };
	struct err e;

	OK(lab_do(lab, who, verify_do, &it, sizeof(it), &e), e);
	told = it.told;
	return it.verified;
}

struct store_verified verify_with(struct lab *lab, struct store_verify how)
{
	return verify_as(lab, LAB_KEEPER, how);
}

struct store_verified verify(struct lab *lab)
{
	return verify_with(lab, (struct store_verify){ 0 });
}

bool is_clean(struct lab *lab)
{
	struct store_verified verified = verify(lab);

	return store_findings(&verified) == 0;
}

void assert_found_one(struct lab *lab, int kind)
{
	struct store_verified verified = verify(lab);

	assert_int_equal(verified.found[kind], 1);
	assert_int_equal(store_findings(&verified), 1);
	assert_int_equal(told.kind, kind);
}

static uint64_t id_of(struct lab *lab, const char *bytes)
{
	struct digest digest = digest_of(bytes);
	struct meta_blob blob;
	struct err e;

	OK(meta_blob_find(lab->meta, &digest, &blob, &e), e);
	return blob.id;
}

/* The blob's file, opened to be changed. */
static int file_of(struct lab *lab, const char *bytes)
{
	struct digest digest = digest_of(bytes);
	struct blob_place place;
	char path[64];
	struct err e;

	OK(blob_peek(lab->faults, &digest, id_of(lab, bytes), &place, &e), e);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place.fd);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	close(place.fd);
	return fd;
}

void damage(struct lab *lab, const char *bytes)
{
	auto_fd int fd = file_of(lab, bytes);

	assert_int_equal(pwrite(fd, "#", 1, 0), 1);
}

void shorten(struct lab *lab, const char *bytes)
{
	auto_fd int fd = file_of(lab, bytes);

	assert_int_equal(ftruncate(fd, 2), 0);
}

void lose(struct lab *lab, const char *bytes)
{
	struct digest digest = digest_of(bytes);
	struct err e;

	OK(blob_delete(lab->faults, &digest, id_of(lab, bytes), &e), e);
}

enum err_kind pull_fails_as(struct lab *lab, struct repository at,
			    const char *bytes)
{
	struct digest digest = digest_of(bytes);
	struct blob_place place;
	struct err e;

	assert_int_equal(store_pull_blob(lab->store, &at, &digest, &place, &e),
			 -1);
	return e.kind;
}

/* Layers that are pushed to "app", with their image. */
void push_image(struct lab *lab)
{
	lab_push(lab, local("app"), "config");
	lab_push(lab, local("app"), "layer");
	lab_image(lab, local("app"), "v1", "config", "layer");
}

/* Its file is where it was before it was lost. */
void restore(struct lab *lab, const char *bytes)
{
	struct digest digest = digest_of(bytes);
	char path[] = "/tmp/restored-XXXXXX";
	auto_fd int fd = mkstemp(path);
	struct err e;

	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	OK(blob_commit(lab->faults, &digest, id_of(lab, bytes), fd, &e), e);
	assert_int_equal(unlink(path), 0);
}

void damage_manifests(struct lab *lab)
{
	lab_number(lab, "UPDATE manifest SET bytes = x'00' RETURNING 1");
}

static int setup_open(void **state, int (*setup)(void **state))
{
	if (setup(state) < 0)
		return -1;
	lab_open_faulty(*state);
	return 0;
}

int setup_files(void **state)
{
	return setup_open(state, lab_setup);
}

int setup_clients(void **state)
{
	return setup_open(state, clients_setup);
}

int setup_keeper(void **state)
{
	return setup_open(state, keeper_setup);
}

int setup_memory(void **state)
{
	if (lab_setup(state) < 0)
		return -1;
	lab_open_over(*state, blob_mem_open());
	return 0;
}
