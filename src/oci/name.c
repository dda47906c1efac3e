/*
 * The grammars are regular and small; each is read by one loop.
 */
#include "oci/name.h"

#include <stdio.h>

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* How many of the first characters are letters or digits. */
static size_t word_length(struct span span)
{
	size_t len = 0;

	while (len < span.len && is_alnum(span.at[len]))
		len++;
	return len;
}

/* Length of ".", "_", "__" or dashes at the start; 0 if it is none. */
static size_t separator_length(struct span span)
{
	size_t len = 0;

	if (span_starts(span, "."))
		return 1;
	if (span_starts(span, "_"))
		return span_starts(span, "__") ? 2 : 1;
	while (len < span.len && span.at[len] == '-')
		len++;
	return len;
}

static bool component_is_valid(struct span rest)
{
	for (;;) {
		size_t word = word_length(rest);

		rest = span_from(rest, word);
		if (word == 0 || rest.len == 0)
			return word > 0;
		size_t separator = separator_length(rest);
		if (separator == 0)
			return false;
		rest = span_from(rest, separator);
	}
}

static bool path_is_valid(struct span rest)
{
	while (rest.at)
		if (!component_is_valid(span_cut(&rest, '/')))
			return false;
	return true;
}

int name_parse(struct span span, struct name *out, struct err *e)
{
	if (span.len > NAME_MAX_LEN)
		return err_set(e, ERR_NAME_INVALID,
			       "a repository's name has at most %d characters",
			       NAME_MAX_LEN);
	if (!span.at || !path_is_valid(span))
		return err_set(e, ERR_NAME_INVALID,
			       "\"%.*s\" is no repository's name",
			       SPAN_ARG(span));
	span_copy(span, out->s, sizeof(out->s));
	return 0;
}

static bool is_tag_letter(char c)
{
	return is_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool tag_is_valid(struct span span)
{
	if (span.len == 0 || span.len > TAG_MAX_LEN)
		return false;
	if (!is_tag_letter(span.at[0]))
		return false;
	for (size_t i = 1; i < span.len; i++) {
		char c = span.at[i];

		if (!is_tag_letter(c) && c != '.' && c != '-')
			return false;
	}
	return true;
}

int tag_parse(struct span span, struct tag *out, struct err *e)
{
	if (!tag_is_valid(span))
		return err_set(e, ERR_TAG_INVALID, "\"%.*s\" is no tag",
			       SPAN_ARG(span));
	span_copy(span, out->s, sizeof(out->s));
	return 0;
}

int reference_parse(struct span span, struct reference *out, struct err *e)
{
	*out = (struct reference){ 0 };
	if (span_find(span, ':') >= 0) {
		out->kind = REFERENCE_DIGEST;
		return digest_parse(span, &out->digest, e);
	}
	out->kind = REFERENCE_TAG;
	return tag_parse(span, &out->tag, e);
}

bool repository_is_local(const struct repository *repository)
{
	return repository->upstream[0] == '\0';
}

bool repository_eq(const struct repository *a, const struct repository *b)
{
	return strcmp(a->upstream, b->upstream) == 0 &&
	       strcmp(a->name.s, b->name.s) == 0;
}

struct repository_text repository_text(const struct repository *repository)
{
	struct repository_text text;

	snprintf(text.s, sizeof(text.s), "%s%s%s", repository->upstream,
		 repository_is_local(repository) ? "" : "/",
		 repository->name.s);
	return text;
}

struct reference_text reference_text(const struct reference *reference)
{
	struct digest_text digest = digest_text(&reference->digest);
	struct reference_text text;

	snprintf(text.s, sizeof(text.s), "%s",
		 reference->kind == REFERENCE_TAG ? reference->tag.s :
						    digest.s);
	return text;
}

struct reference reference_to_digest(const struct digest *digest)
{
	return (struct reference){
		.kind = REFERENCE_DIGEST,
		.digest = *digest,
	};
}

bool name_looks_like_host(struct span first)
{
	return span_find(first, '.') >= 0 || span_find(first, ':') >= 0 ||
	       span_is(first, "localhost");
}
