#include "oci/image.h"

#include <stdio.h>

static bool is_name(struct span name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "0123456789._-/:";

	for (size_t i = 0; i < name.len; i++)
		if (!memchr(letters, name.at[i], strlen(letters)))
			return false;
	return name.len > 0;
}

/* Cuts a tag off the name; SPAN_NONE if there is none. */
static struct span tag_cut(struct span *name)
{
	ptrdiff_t colon = span_find_last(*name, ':');
	struct span tag = SPAN_NONE;

	if (colon > span_find_last(*name, '/')) {
		tag = span_from(*name, (size_t)colon + 1);
		name->len = (size_t)colon;
	}
	return tag;
}

int image_parse(struct span text, struct image *out, struct err *e)
{
	struct span digest = text;
	struct span name = span_cut(&digest, '@');
	struct span tag = tag_cut(&name);
	struct span reference = tag.at ? tag : SPAN("latest");
	struct err ignored;

	if (digest.at)
		reference = digest;
	if (is_name(name) && span_copy(name, out->name, sizeof(out->name)) &&
	    reference_parse(reference, &out->reference, &ignored) == 0 &&
	    (!digest.at || out->reference.kind == REFERENCE_DIGEST))
		return 0;
	return err_set(e, ERR_USAGE,
		       "\"%.*s\" is no image; write NAME, NAME:TAG or "
		       "NAME@sha256:…",
		       (int)(text.len < 80 ? text.len : 80), text.at);
}

struct image_text image_text(const struct image *image)
{
	struct image_text text;

	snprintf(text.s, sizeof(text.s), "%s%c%s", image->name,
		 image->reference.kind == REFERENCE_TAG ? ':' : '@',
		 reference_text(&image->reference).s);
	return text;
}
