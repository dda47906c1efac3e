#include "cli/errand.h"

#include "base/io.h"

static int errand_ask(const struct errand *errand, const char *data,
		      const struct saying *saying, struct err *e)
{
	if (control_ask(data, errand->request, saying, e) == 0)
		return 0;
	if (e->kind != ERR_UNAVAILABLE)
		return -1;
	return err_set(e, ERR_LOCKED,
		       "the process that uses the data directory %s does not "
		       "listen: wait until it has started, or stop it",
		       data);
}

int errand_run(const struct errand *errand, const char *data,
	       const struct saying *saying, struct err *e)
{
	auto_of(store) struct store *store = NULL;

	/* Opening a store makes it; here, it has to be there. */
	auto_fd int dir = io_open_dir(data, e);
	if (dir < 0)
		return -1;
	if (store_open(data, &store, e) == 0)
		return errand->alone(store, saying, errand->arg, e);
	return e->kind == ERR_LOCKED ? errand_ask(errand, data, saying, e) : -1;
}
