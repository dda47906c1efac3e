#include "sweep_lab.h"

#include <string.h>

void tell(const struct store_dead *dead, void *arg)
{
	struct teller *teller = arg;
	void (*meanwhile)(struct lab *) = teller->meanwhile;

	teller->told[dead->kind]++;
	teller->meanwhile = NULL;
	if (meanwhile)
		meanwhile(teller->lab);
}

/* ---------------------------------------------------------------- sweeping */

struct sweeping {
	struct store_sweep how;
	struct store_swept swept;
};

static int sweep_do(struct lab *lab, void *arg, struct err *e)
{
	struct sweeping *it = arg;

	return store_sweep(lab->store, &it->how, &it->swept, e);
}

/* What is told has to be told here. */
int sweep_try(struct lab *lab, struct store_sweep how, struct store_swept *out,
	      struct err *e)
{
	struct sweeping it = { .how = how };

	it.how.grace_ms = GRACE_MS;
	int failed = lab_do(lab, how.tell ? LAB_NOBODY : LAB_KEEPER, sweep_do,
			    &it, sizeof(it), e);
	*out = it.swept;
	return failed;
}

struct store_swept sweep_with(struct lab *lab, struct store_sweep how)
{
	struct store_swept swept;
	struct err e;

	OK(sweep_try(lab, how, &swept, &e), e);
	return swept;
}

struct store_swept sweep(struct lab *lab)
{
	return sweep_with(lab, (struct store_sweep){ .released_ms = GRACE_MS });
}

struct store_swept sweep_now(struct lab *lab)
{
	return sweep_with(lab, (struct store_sweep){ .released_ms = 0 });
}

void age(struct lab *lab, int epochs)
{
	while (epochs--)
		lab_age(lab);
}

void drop_image(struct lab *lab, struct repository at, const char *config,
		const char *layer)
{
	struct digest digest = image_of(config, layer);
	struct reference reference = reference_to_digest(&digest);
	struct err e;

	OK(lab_drop(lab, at, reference, &e), e);
}

void push_and_drop(struct lab *lab)
{
	lab_push(lab, local("app"), "layer");
	lab_image(lab, local("app"), "v1", "layer", NULL);
	drop_image(lab, local("app"), "layer", NULL);
}

struct incoming *upload_begin(struct lab *lab, struct repository at)
{
	struct incoming *incoming;
	struct err e;

	OK(incoming_open_upload(lab->store, &at, &incoming, &e), e);
	OK(incoming_write(incoming, SPAN("lay"), &e), e);
	return incoming;
}

/* Of the upload that was left. */
static char left_key[40];

void upload_leave(struct lab *lab)
{
	struct incoming *incoming = upload_begin(lab, local("app"));

	strcpy(left_key, incoming_key(incoming));
	incoming_leave(&incoming);
}

int upload_return(struct lab *lab, struct incoming **out, struct err *e)
{
	struct repository app = local("app");

	return incoming_resume_upload(lab->store, &app, span_of(left_key), out,
				      e);
}
