#include "oci/listing.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "oci/manifest.h"
#include "oci/name.h"

static const struct json_limits limits = {
	.bytes = LISTING_PAGE,
	.tokens = 300000,
	.depth = 16,
};

/* ------------------------------------------------------------------- tags */

int listing_tags(struct span answer, struct buf *lines, struct err *e)
{
	auto_of(json) struct json *json = NULL;
	struct tag tag;
	struct err ignored;

	if (json_parse(answer, &limits, &json, e) < 0)
		return -1;
	const struct json_value *root = json_root(json);
	if (!json_is_object(root))
		return err_set(e, ERR_REQUEST, "its list of tags is no object");

	const struct json_value *tags = json_get(root, "tags");
	for (size_t i = 0; i < json_count(tags); i++)
		if (tag_parse(json_text(json_at(tags, i)), &tag, &ignored) == 0)
			buf_addf(lines, "%s\n", tag.s);
	return 0;
}

/* -------------------------------------------------------------- referrers */

static void referrer_add(const struct json_value *entry, struct buf *lines)
{
	struct span type = json_text(json_get(entry, "mediaType"));
	struct span artifact = json_text(json_get(entry, "artifactType"));
	struct span name = json_text(json_get(entry, "digest"));
	auto_buf struct buf annotations = { 0 };
	struct digest digest;
	struct err ignored;
	int64_t size;

	if (!is_media_type(type) ||
	    !json_size(json_get(entry, "size"), &size) || !name.at ||
	    digest_parse(name, &digest, &ignored) < 0)
		return;
	if (!is_media_type(artifact))
		artifact = SPAN("");
	buf_addf(
		lines,
		"%.*s\t{\"mediaType\":\"%.*s\",\"digest\":\"%s\",\"size\":%lld",
		SPAN_ARG(artifact), SPAN_ARG(type), digest_text(&digest).s,
		(long long)size);
	if (artifact.len > 0)
		buf_addf(lines, ",\"artifactType\":\"%.*s\"",
			 SPAN_ARG(artifact));
	json_quote_texts(&annotations, json_get(entry, "annotations"));
	if (annotations.len > 0 && annotations.len <= ANNOTATIONS_DESCRIBED) {
		buf_add(lines, SPAN(",\"annotations\":"));
		buf_add(lines, buf_span(&annotations));
	}
	buf_add(lines, SPAN("}\n"));
}

int listing_referrers(struct span index, struct buf *lines, struct err *e)
{
	auto_of(json) struct json *json = NULL;

	if (json_parse(index, &limits, &json, e) < 0)
		return -1;
	const struct json_value *root = json_root(json);
	if (!json_is_object(root))
		return err_set(e, ERR_REQUEST,
			       "its list of referrers is no object");

	const struct json_value *entries = json_get(root, "manifests");
	for (size_t i = 0; i < json_count(entries); i++)
		referrer_add(json_at(entries, i), lines);
	return 0;
}

/* ------------------------------------------------------------------ order */

static int line_compare(const void *a, const void *b)
{
	const struct span *left = a, *right = b;
	size_t least = left->len < right->len ? left->len : right->len;
	int order = memcmp(left->at, right->at, least);

	if (order != 0)
		return order;
	return (left->len > right->len) - (left->len < right->len);
}

bool listing_is_sorted(struct span lines)
{
	struct span before = span_cut(&lines, '\n');

	while (lines.len > 0) {
		struct span line = span_cut(&lines, '\n');

		if (line_compare(&before, &line) >= 0)
			return false;
		before = line;
	}
	return true;
}

static size_t count_lines(struct span lines)
{
	size_t count = 0;

	for (size_t i = 0; i < lines.len; i++)
		count += lines.at[i] == '\n';
	return count;
}

void listing_sort(struct buf *lines)
{
	size_t count = count_lines(buf_span(lines));
	auto_free struct span *line = mem_array(count + 1, sizeof(*line));
	struct span rest = buf_span(lines);
	struct buf sorted = { 0 };

	for (size_t i = 0; i < count; i++)
		line[i] = span_cut(&rest, '\n');
	qsort(line, count, sizeof(*line), line_compare);
	buf_reserve(&sorted, lines->len);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || !span_eq(line[i], line[i - 1]))
			buf_addf(&sorted, "%.*s\n", SPAN_ARG(line[i]));
	buf_free(lines);
	*lines = sorted;
}

/* ------------------------------------------------------------------- Link */

/* ;rel="next", among other parameters; cuts off all of them. */
static bool is_next(struct span *rest)
{
	struct span parameters = span_cut(rest, ',');
	bool next = false;

	while (parameters.at) {
		struct span value = span_trim(span_cut(&parameters, ';'));
		struct span name = span_trim(span_cut(&value, '='));

		value = span_trim(value);
		if (span_is_nocase(name, "rel") &&
		    (span_is_nocase(value, "next") ||
		     span_is_nocase(value, "\"next\"")))
			next = true;
	}
	return next;
}

struct span listing_next(struct span link)
{
	while (link.at) {
		span_cut(&link, '<');
		struct span target = span_cut(&link, '>');

		if (link.at && is_next(&link))
			return target;
	}
	return SPAN_NONE;
}
