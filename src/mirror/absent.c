/*
 * A table of a fixed size. Each question has one place in it, by its digest,
 * and the one that comes last has that place: so a crowd of unknown names
 * costs no memory, and what it drives out is only asked for once more.
 */
#include "mirror/absent.h"

#include "base/clock.h"
#include "base/mem.h"
#include "oci/hash.h"

enum { PLACES = 4096 };

struct place {
	struct digest question;
	int64_t noted_ms; /* clock_ms; 0: nothing is there */
};

struct absent {
	pthread_mutex_t lock;
	struct place places[PLACES]; /* guarded by lock */
};

struct absent *absent_open(void)
{
	struct absent *absent = mem_alloc(sizeof(*absent));

	pthread_mutex_init(&absent->lock, NULL);
	return absent;
}

void absent_close(struct absent **owned)
{
	struct absent *absent = steal_ptr(owned);

	pthread_mutex_destroy(&absent->lock);
	free(absent);
}

static struct digest question_of(const struct flight_plan *plan)
{
	auto_buf struct buf text = { 0 };

	buf_addf(&text, "%d %s %s", plan->kind,
		 repository_text(&plan->repository).s,
		 reference_text(&plan->reference).s);
	return hash_of(DIGEST_SHA256, buf_span(&text));
}

static struct place *place_of(struct absent *absent,
			      const struct digest *question)
{
	uint32_t number;

	memcpy(&number, question->bytes, sizeof(number));
	return &absent->places[number % PLACES];
}

void absent_note(struct absent *absent, const struct flight_plan *plan)
{
	struct digest question = question_of(plan);

	hold_mutex(&absent->lock);
	*place_of(absent, &question) = (struct place){ question, clock_ms() };
}

bool absent_recall(struct absent *absent, const struct flight_plan *plan,
		   int64_t lifetime_ms)
{
	struct digest question = question_of(plan);

	hold_mutex(&absent->lock);
	const struct place *place = place_of(absent, &question);

	return place->noted_ms && digest_eq(&place->question, &question) &&
	       clock_ms() - place->noted_ms < lifetime_ms;
}
