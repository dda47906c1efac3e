/*
 * The C library asks and takes the answer apart; hosts are judged here.
 */
#include "cluster/srv.h"

#include <arpa/nameser.h>
#include <ctype.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/thread.h"

#define ANSWER_MAX 65535
#define HEAD 6 /* bytes of priority, weight and port */

/* Labels of letters, digits, '-' and '_', which begin with none of '-' and '.'.
 */
static bool host_read(const char *name, char *out, size_t room)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_-";

	if (!span_copy(span_of(name), out, room))
		return false;
	for (char *at = out; *at; at++)
		*at = (char)tolower((unsigned char)*at);

	struct span rest = span_of(out);
	while (rest.at) {
		struct span label = span_cut(&rest, '.');

		if (!span_made_of(label, letters) || label.at[0] == '-')
			return false;
	}
	return true;
}

/* Adds it, unless it is none: "." says that there is no such service. */
static void target_add(struct srv_list *list, const ns_msg *message,
		       const ns_rr *record)
{
	const u_char *data = ns_rr_rdata(*record);
	struct srv_target *target = &list->targets[list->count];
	char name[NS_MAXDNAME];

	if (ns_rr_type(*record) != ns_t_srv || list->count == SRV_TARGETS ||
	    ns_rr_rdlen(*record) <= HEAD ||
	    dn_expand(ns_msg_base(*message), ns_msg_end(*message), data + HEAD,
		      name, sizeof(name)) < 0 ||
	    !host_read(name, target->host, sizeof(target->host)))
		return;
	target->priority = ns_get16(data);
	target->weight = ns_get16(data + 2);
	target->port = ns_get16(data + 4);
	if (target->port > 0)
		list->count++;
}

/* Of equal ones, by name, so that all hosts see one order. */
static int compare(const void *left, const void *right)
{
	const struct srv_target *a = left, *b = right;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	int order = strcmp(a->host, b->host);
	return order ? order : (int)a->port - (int)b->port;
}

int srv_parse(struct span answer, struct srv_list *out, struct err *e)
{
	const u_char *bytes = (const u_char *)answer.at;
	ns_msg message;
	ns_rr record;

	*out = (struct srv_list){ 0 };
	if (answer.len > ANSWER_MAX ||
	    ns_initparse(bytes, (int)answer.len, &message) < 0)
		return err_set(e, ERR_UPSTREAM, "DNS answers what is no DNS");
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &record) < 0)
			return err_set(e, ERR_UPSTREAM,
				       "DNS answers half a record");
		target_add(out, &message, &record);
	}
	qsort(out->targets, out->count, sizeof(out->targets[0]), compare);
	return 0;
}

static int query(res_state state, const char *name, struct srv_list *out,
		 struct err *e)
{
	auto_free u_char *answer = mem_alloc(ANSWER_MAX);
	int len =
		res_nquery(state, name, ns_c_in, ns_t_srv, answer, ANSWER_MAX);

	*out = (struct srv_list){ 0 };
	if (len >= 0)
		return srv_parse(span_make((char *)answer, (size_t)len), out,
				 e);
	if (state->res_h_errno == HOST_NOT_FOUND ||
	    state->res_h_errno == NO_DATA)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "DNS: %s",
		       hstrerror(state->res_h_errno));
}

int srv_find(const char *name, struct srv_list *out, struct err *e)
{
	struct __res_state state = { 0 };

	thread_may_wait("srv_find");
	if (res_ninit(&state) < 0)
		return err_set(e, ERR_UNAVAILABLE,
			       "the resolver cannot be set up");
	state.retrans = 2;
	state.retry = 2;
	int failed = query(&state, name, out, e);
	res_nclose(&state);
	return failed ? err_wrap(e, "%s", name) : 0;
}
