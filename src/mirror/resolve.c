/*
 * From what a client wrote to the canonical name. Names are keys: what is not
 * among the configured upstreams is unknown, and nothing is ever dialled
 * because of a name.
 */
#include <stdio.h>

#include "mirror/flight.h"
#include "mirror/policy.h"

/* The other names under which clients know a registry. */
static const struct {
	const char *other;
	const char *name;
} other_names[] = {
	{ "index.docker.io", "docker.io" },
	{ "registry-1.docker.io", "docker.io" },
};

static struct span usual_name(struct span name)
{
	for (size_t i = 0; i < array_size(other_names); i++)
		if (span_is_nocase(name, other_names[i].other))
			return span_of(other_names[i].name);
	return name;
}

/* The name under which the client knows us. */
static bool is_own(const struct mirror_question *q, struct span host)
{
	return host.len > 0 && span_eq_nocase(host, q->host);
}

/* Our own name in front says nothing. */
static struct span without_own(const struct mirror_question *q)
{
	struct span rest = q->name;
	struct span first = span_cut(&rest, '/');

	return rest.at && name_looks_like_host(first) && is_own(q, first) ?
		       rest :
		       q->name;
}

/*
 * Docker with containerd's store, and BuildKit, put /v2/ in front of a mirror's
 * whole path: /v2/mirror/docker.io/library/redis?ns=docker.io.
 */
static struct span without_mirror(const struct mirror_question *q,
				  struct span name)
{
	struct span rest = name;
	struct span first = span_cut(&rest, '/');
	struct span prefixed = rest;
	struct span upstream = span_cut(&rest, '/');

	return q->ns.at && rest.at && span_is(first, "mirror") &&
			       span_eq_nocase(usual_name(upstream),
					      usual_name(q->ns)) ?
		       prefixed :
		       name;
}

/* Does a registry stand in front? Not if the whole was made a name of ours. */
static bool is_prefixed(const struct mirror *mirror,
			const struct mirror_question *q, struct span name)
{
	struct span rest = name;
	struct span first = span_cut(&rest, '/');

	return rest.at && name_looks_like_host(first) &&
	       (mirror_upstream_find(mirror, usual_name(first)) ||
		!patterns_hold(&q->rules->local, name));
}

/*
 * Which upstream does the question name, if it names any? Takes a path prefix
 * off `name`.
 */
static struct span named_upstream(const struct mirror *mirror,
				  const struct mirror_question *q,
				  struct span *name)
{
	struct span rest = *name;
	struct span first = span_cut(&rest, '/');
	bool prefixed = is_prefixed(mirror, q, *name);
	struct span named = SPAN_NONE;

	if (q->bound.at)
		named = q->bound;
	else if (q->ns.at && !is_own(q, q->ns))
		named = q->ns;
	else if (prefixed)
		named = first;
	if (named.at && prefixed &&
	    span_eq_nocase(usual_name(first), usual_name(named)))
		*name = rest;
	return named.at ? usual_name(named) : named;
}

/* ?ns= names another upstream than the one that is bound to answer here. */
static bool is_misled(const struct mirror_question *q)
{
	return q->bound.at && q->ns.at && !is_own(q, q->ns) &&
	       !span_eq_nocase(usual_name(q->ns), usual_name(q->bound));
}

static int name_there(const struct mirror_upstream *upstream, struct span name,
		      struct name *out, struct err *e)
{
	char official[NAME_MAX_LEN + 1];
	bool is_hub = strcmp(upstream->name, "docker.io") == 0;

	if (is_hub && span_find(name, '/') < 0) {
		int len = snprintf(official, sizeof(official), "library/%.*s",
				   SPAN_ARG(name));
		if (len >= (int)sizeof(official))
			return err_set(e, ERR_NAME_INVALID,
				       "a name has at most 255 characters");
		name = span_of(official);
	}
	return name_parse(name, out, e);
}

static int resolve_upstream(const struct mirror *mirror,
			    const struct mirror_question *q,
			    const struct mirror_upstream *upstream,
			    struct span name, struct repository *out,
			    struct err *e)
{
	snprintf(out->upstream, sizeof(out->upstream), "%s", upstream->name);
	if (name_there(upstream, name, &out->name, e) < 0)
		return -1;
	return policy_allows(mirror_rules_of(mirror, q->rules, upstream),
			     q->asker, upstream->name, &out->name, e);
}

/* Was this pushed under the name, so that the name means what is here? */
static int is_local(struct mirror *mirror, const struct repository *local,
		    const struct digest *blob, bool *out, struct err *e)
{
	struct meta *meta = store_meta(mirror->store);
	struct meta_blob found;

	if (meta_repository_peek(meta, &local->name, out, e) < 0)
		return -1;
	if (*out || !blob)
		return 0;
	*out = meta_blob_peek(meta, local, blob, &found, e) == 0;
	return *out || e->kind == ERR_BLOB_UNKNOWN ? 0 : -1;
}

/* library/ is Docker Hub's, unless it was made ours. */
static int check_push(const struct mirror_question *q, struct span name,
		      struct err *e)
{
	if (patterns_hold(&q->rules->reserved, name))
		return err_set(e, ERR_DENIED,
			       "%.*s is reserved; push under another name",
			       SPAN_ARG(name));
	if (span_starts(name, "library/") &&
	    !patterns_hold(&q->rules->local, name))
		return err_set(e, ERR_DENIED,
			       "library/ holds the official images of Docker "
			       "Hub; push under a name of your own");
	return 0;
}

static int resolve_bare(struct mirror *mirror, const struct mirror_question *q,
			struct span name, struct repository *out, struct err *e)
{
	const struct mirror_upstream *upstream = mirror_upstream_find(
		mirror, span_of(q->rules->default_upstream));
	bool local = true;

	out->upstream[0] = '\0';
	if (name_parse(name, &out->name, e) < 0)
		return -1;
	if (q->push)
		return check_push(q, name, e);
	if (!upstream || patterns_hold(&q->rules->local, name))
		return 0;
	if (is_local(mirror, out, q->blob, &local, e) < 0)
		return -1;
	return local ? 0 : resolve_upstream(mirror, q, upstream, name, out, e);
}

/* The one that the question names, if it may be asked there. */
static const struct mirror_upstream *
known_upstream(struct mirror *mirror, const struct mirror_question *q,
	       struct span named, struct err *e)
{
	const struct mirror_upstream *upstream =
		mirror_upstream_find(mirror, named);

	if (!upstream) {
		err_set(e, ERR_NAME_UNKNOWN,
			"%.*s is not an upstream of this registry",
			SPAN_ARG(named));
		return NULL;
	}
	if (is_misled(q)) {
		err_set(e, ERR_NAME_UNKNOWN,
			"ns=%.*s is asked for where only %s answers",
			SPAN_ARG(q->ns), upstream->name);
		return NULL;
	}
	return upstream;
}

int mirror_resolve(struct mirror *mirror, const struct mirror_question *q,
		   struct mirror_target *out, struct err *e)
{
	struct span name = without_mirror(q, without_own(q));
	struct span named = named_upstream(mirror, q, &name);

	out->rules = q->rules;
	out->via = q->via;
	out->looks = q->looks;
	out->asked_ms = 0;
	out->bare = !named.at;
	if (out->bare)
		return resolve_bare(mirror, q, name, &out->repository, e);
	if (q->push)
		return err_set(
			e, ERR_DENIED,
			"names of %.*s are mirrored, not pushed to; push "
			"under a name of your own",
			SPAN_ARG(named));

	const struct mirror_upstream *upstream =
		known_upstream(mirror, q, named, e);
	return upstream ? resolve_upstream(mirror, q, upstream, name,
					   &out->repository, e) :
			  -1;
}

int mirror_resolve_before(struct mirror *mirror,
			  const struct mirror_question *q,
			  struct mirror_target *out, struct err *e)
{
	struct span name = without_own(q);
	const struct mirror_upstream *upstream = mirror_upstream_find(
		mirror, span_of(q->rules->default_upstream));

	*out = (struct mirror_target){
		.rules = q->rules,
		.via = q->via,
		.bare = true,
	};
	if (!upstream || patterns_hold(&q->rules->local, name))
		return err_set(e, ERR_NAME_UNKNOWN, "%.*s is only local",
			       SPAN_ARG(name));
	return resolve_upstream(mirror, q, upstream, name, &out->repository, e);
}

int mirror_resolve_registry(struct mirror *mirror,
			    const struct mirror_question *q,
			    const char **upstream_out, struct err *e)
{
	struct span none = SPAN_NONE;
	struct span named = named_upstream(mirror, q, &none);

	*upstream_out = "";
	if (!named.at)
		return 0;

	const struct mirror_upstream *upstream =
		known_upstream(mirror, q, named, e);
	if (!upstream)
		return -1;
	*upstream_out = upstream->name;
	return policy_allows(mirror_rules_of(mirror, q->rules, upstream),
			     q->asker, upstream->name, NULL, e);
}

bool mirror_may_list(const struct mirror *mirror,
		     const struct mirror_question *q, const char *upstream,
		     const char *name)
{
	const struct mirror_upstream *found =
		mirror_upstream_find(mirror, span_of(upstream));
	struct name there;
	struct err e;

	return !found ||
	       (name_parse(span_of(name), &there, &e) == 0 &&
		policy_allows(mirror_rules_of(mirror, q->rules, found),
			      q->asker, upstream, &there, &e) == 0);
}
