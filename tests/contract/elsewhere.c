/*
 * The other process of a lab: a copy of this one, made before anything is
 * open, with handles of its own on the same database and the same files. What
 * is asked of it is a function, which is the same there, and its argument,
 * which is copied there and back.
 */
#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store_lab.h"

#define PATIENCE_MS 60000

struct message {
	lab_act act;
	int failed;
	struct err e;
	size_t size;
	char arg[12 * 1024];
};

/*
 * Only one process may have a data directory, so this one has another, and in
 * it the same incoming/.
 */
static int place_make(struct lab *lab, char *other, size_t size, struct err *e)
{
	char incoming[112];

	snprintf(other, size, "%s/other", lab->path);
	snprintf(incoming, sizeof(incoming), "%s/incoming", other);
	if (mkdir(other, 0700) < 0 || symlink("../incoming", incoming) < 0)
		return err_sys(e, "%s", incoming);
	return 0;
}

static int other_open(struct lab *lab, void *arg, struct err *e)
{
	char other[96], database[96];
	struct blob_store *blobs;
	struct meta *meta;

	(void)arg;
	snprintf(database, sizeof(database), "%s/registry.db", lab->path);
	if (lab->store)
		return 0;
	if (place_make(lab, other, sizeof(other), e) < 0 ||
	    meta_open(database, &meta, e) < 0)
		return -1;
	if (blob_fs_open(lab->path, &blobs, e) < 0) {
		meta_close(&meta);
		return -1;
	}
	if (store_open_with(other, meta, blobs, &lab->store, e) < 0)
		return -1;
	lab->meta = store_meta(lab->store);
	return 0;
}

int lab_forget(struct lab *lab, struct err *e)
{
	uint64_t nobody = 0;

	return lab->meta ? meta_session_drop(lab->meta, &nobody, 1, e) : 0;
}

/* Who writes all the time leaves others little room to do so. */
static void other_act(struct lab *lab, struct message *message)
{
	struct message asked = *message;
	int64_t deadline = clock_ms() + PATIENCE_MS;

	do {
		*message = asked;
		message->failed = lab_forget(lab, &message->e) < 0 ||
				  asked.act(lab, message->arg, &message->e) < 0;
	} while (message->failed && message->e.kind == ERR_BUSY &&
		 clock_ms() < deadline);
}

/* Does what it is asked to, until nobody asks any more. */
static void other_main(struct lab *lab)
{
	static struct message message;
	const ssize_t size = sizeof(message);

	while (recv(lab->other, &message, size, 0) == size) {
		other_act(lab, &message);
		if (send(lab->other, &message, size, MSG_NOSIGNAL) != size)
			_exit(1);
	}
	lab_close(lab);
	_exit(0);
}

int elsewhere_begin(struct lab *lab, enum lab_party who)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	lab->process = fork();
	if (lab->process == 0) {
		close(ends[0]);
		lab->other = ends[1];
		other_main(lab);
	}
	close(ends[1]);
	lab->other = ends[0];
	lab->elsewhere = who;
	return lab->process < 0 ? -1 : 0;
}

int elsewhere_end(struct lab *lab)
{
	int status = -1;

	close(lab->other);
	waitpid(lab->process, &status, 0);
	lab->elsewhere = LAB_NOBODY;
	return status == 0 ? 0 : -1;
}

int lab_ask(struct lab *lab, lab_act act, void *arg, size_t arg_size,
	    struct err *e)
{
	struct message message = { .act = act, .size = arg_size };
	const ssize_t size = sizeof(message);

	assert(arg_size <= sizeof(message.arg));
	memcpy(message.arg, arg, arg_size);
	if (send(lab->other, &message, size, MSG_NOSIGNAL) != size ||
	    recv(lab->other, &message, size, 0) != size)
		return err_set(e, ERR_CLOSED, "nobody is elsewhere");
	memcpy(arg, message.arg, arg_size);
	*e = message.e;
	return message.failed ? -1 : 0;
}

int elsewhere_open(struct lab *lab, struct err *e)
{
	return lab->elsewhere ? lab_ask(lab, other_open, "", 0, e) : 0;
}

int lab_do(struct lab *lab, enum lab_party who, lab_act act, void *arg,
	   size_t size, struct err *e)
{
	if (!(lab->elsewhere & who))
		return act(lab, arg, e);
	if (lab_ask(lab, act, arg, size, e) < 0)
		return -1;
	return lab_forget(lab, e);
}
