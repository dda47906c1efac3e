#include "cluster/hosts.h"

#include "cluster/etcd.h"

struct sorting {
	struct arena *arena;
	struct host_record *hosts;
	struct cluster_refusal *refusals;
	struct cluster_hosts *out;
};

static void refuse(struct sorting *sorting, struct span key, const char *why)
{
	char *shown;

	if (key.len > HOST_LINE)
		key.len = HOST_LINE;
	shown = arena_text(sorting->arena, key);
	etcd_clean(shown);
	sorting->refusals[sorting->out->refusal_count++] =
		(struct cluster_refusal){
			shown,
			arena_text(sorting->arena, span_of(why)),
		};
}

static void sort_in(struct sorting *sorting, struct span key, struct span value)
{
	struct host_record *host = &sorting->hosts[sorting->out->count];
	struct err e;

	if (host_record_parse(value, sorting->arena, host, &e) < 0)
		refuse(sorting, key, e.message);
	else if (!span_is(key, host->name))
		refuse(sorting, key, "its name is not that of its key");
	else
		sorting->out->count++;
}

static void sort_all(const struct etcd_list *list, size_t prefix_len,
		     struct arena *arena, struct cluster_hosts *out)
{
	size_t count = list->count > HOSTS_MOST ? HOSTS_MOST : list->count;
	struct sorting sorting = {
		.arena = arena,
		.hosts = arena_alloc(arena,
				     (count + 1) * sizeof(struct host_record)),
		.refusals = arena_alloc(
			arena, (count + 1) * sizeof(struct cluster_refusal)),
		.out = out,
	};

	for (size_t i = 0; i < count; i++)
		sort_in(&sorting, span_from(list->pairs[i].key, prefix_len),
			list->pairs[i].value);
	out->at = sorting.hosts;
	out->refusals = sorting.refusals;
	out->more = list->count > HOSTS_MOST;
}

int cluster_hosts(const struct cluster_options *options, struct arena *arena,
		  struct cluster_hosts *out, struct err *e)
{
	auto_with(etcd_close) struct etcd *etcd = NULL;
	const char *prefix = arena_printf(arena, "%shosts/", options->prefix);
	struct etcd_list list;

	*out = (struct cluster_hosts){ 0 };
	if (etcd_open(options, &etcd, e) < 0 ||
	    etcd_list(etcd, span_of(prefix), HOSTS_MOST + 1, arena, &list, e) <
		    0)
		return -1;
	sort_all(&list, strlen(prefix), arena, out);
	return 0;
}
