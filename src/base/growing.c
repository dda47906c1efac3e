/*
 * What readers on reactors need (state, length, size, bells) is atomic and
 * sequentially consistent; they take no lock. The mutex and its condition are
 * only for readers on workers, and the writer takes it when it rings, which
 * is seldom.
 *
 * The table of bells belongs to the process. Its lock makes sure that no bell
 * is rung after growing_bell_close has returned: its number may by then be
 * another open file.
 */
#include "base/growing.h"

#include <assert.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#define RING_BYTES (256 * 1024)
#define RING_MS 10

struct growing {
	atomic_uint references;
	atomic_int state;
	_Atomic int64_t length;
	_Atomic int64_t size;
	_Atomic uint64_t bells; /* who is to be rung, one bit each */
	int fd;

	int64_t rung_length; /* the writer's: when it rang last */
	int64_t rung_ms;

	pthread_mutex_t lock; /* for `changed` alone */
	pthread_cond_t changed;
	struct err why; /* written once, before the state says so */
};

static pthread_mutex_t bells_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t bells_used;
static int bells_fd[GROWING_BELLS];

struct growing *growing_open(int fd, int64_t size)
{
	struct growing *growing = mem_alloc(sizeof(*growing));

	growing->references = 1;
	growing->state = GROWING;
	growing->size = size;
	growing->fd = fd;
	pthread_mutex_init(&growing->lock, NULL);
	cond_open(&growing->changed);
	return growing;
}

struct growing *growing_keep(struct growing *growing)
{
	growing->references++;
	return growing;
}

void growing_drop(struct growing **pointer)
{
	struct growing *growing = steal_ptr(pointer);

	if (!growing || --growing->references > 0)
		return;
	if (growing->fd >= 0)
		close(growing->fd);
	pthread_cond_destroy(&growing->changed);
	pthread_mutex_destroy(&growing->lock);
	free(growing);
}

static void bells_ring(uint64_t bells)
{
	static const uint64_t one = 1;

	hold_mutex(&bells_lock);
	for (bells &= bells_used; bells; bells &= bells - 1) {
		ssize_t wrote = write(bells_fd[__builtin_ctzll(bells)], &one,
				      sizeof(one));
		(void)wrote; /* a full counter rings as well */
	}
}

/* The new length or state is stored by now. */
static void growing_ring(struct growing *growing)
{
	uint64_t bells = atomic_exchange(&growing->bells, 0);

	if (bells)
		bells_ring(bells);
	hold_mutex(&growing->lock);
	pthread_cond_broadcast(&growing->changed);
}

void growing_extend(struct growing *growing, int64_t length)
{
	if (growing->state != GROWING)
		return;
	growing->length = length;
	if (length == growing->rung_length)
		return;

	int64_t now = clock_ms();
	if (length - growing->rung_length < RING_BYTES &&
	    now - growing->rung_ms < RING_MS)
		return;
	growing->rung_length = length;
	growing->rung_ms = now;
	growing_ring(growing);
}

void growing_finish(struct growing *growing, int64_t length)
{
	if (growing->state != GROWING)
		return;
	growing->length = length;
	growing->size = length;
	growing->state = GROWING_WHOLE;
	growing_ring(growing);
}

void growing_break(struct growing *growing, const struct err *why)
{
	if (growing->state != GROWING)
		return;
	growing->why = *why;
	growing->state = GROWING_BROKEN;
	growing_ring(growing);
}

int growing_fd(const struct growing *growing)
{
	return growing->fd;
}

int64_t growing_size(const struct growing *growing)
{
	return growing->size;
}

int64_t growing_length(const struct growing *growing)
{
	return growing->length;
}

enum growing_state growing_state(const struct growing *growing)
{
	return (enum growing_state)growing->state;
}

void growing_why(const struct growing *growing, struct err *out)
{
	assert(growing->state == GROWING_BROKEN);
	*out = growing->why;
}

unsigned growing_bell_open(int eventfd)
{
	hold_mutex(&bells_lock);
	assert(bells_used != UINT64_MAX);

	unsigned bell = (unsigned)__builtin_ctzll(~bells_used);
	bells_used |= UINT64_C(1) << bell;
	bells_fd[bell] = eventfd;
	return bell;
}

void growing_bell_close(unsigned bell)
{
	hold_mutex(&bells_lock);
	bells_used &= ~(UINT64_C(1) << bell);
}

void growing_watch(struct growing *growing, unsigned bell)
{
	atomic_fetch_or(&growing->bells, UINT64_C(1) << bell);
}

static bool growing_moved(const struct growing *growing, int64_t length)
{
	return growing->state != GROWING || growing->length > length;
}

bool growing_wait(struct growing *growing, int64_t length, int64_t deadline_ms)
{
	thread_may_wait("growing_wait");

	hold_mutex(&growing->lock);
	while (!growing_moved(growing, length)) {
		if (!cond_wait_until(&growing->changed, &growing->lock,
				     deadline_ms))
			return growing_moved(growing, length);
	}
	return true;
}
