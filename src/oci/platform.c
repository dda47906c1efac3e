/*
 * Clients spell platforms in several ways and mean the same.
 */
#include "oci/platform.h"

#include "base/attr.h"

static const struct {
	const char *other;
	const char *usual;
} spellings[] = {
	{ "aarch64", "arm64" },
	{ "x86_64", "amd64" },
};

static const struct {
	const char *architecture;
	const char *variant;
} usual_variants[] = {
	{ "amd64", "v1" },
	{ "arm", "v7" },
	{ "arm64", "v8" },
};

static struct span usual(struct span architecture)
{
	for (size_t i = 0; i < array_size(spellings); i++)
		if (span_is(architecture, spellings[i].other))
			return span_of(spellings[i].usual);
	return architecture;
}

static struct span unusual(struct span architecture, struct span variant)
{
	for (size_t i = 0; i < array_size(usual_variants); i++)
		if (span_is(architecture, usual_variants[i].architecture) &&
		    span_is(variant, usual_variants[i].variant))
			return SPAN("");
	return variant;
}

struct platform platform_make(struct span os, struct span architecture,
			      struct span variant)
{
	struct platform out = { 0 };

	architecture = usual(architecture);
	variant = unusual(architecture, variant);
	if (span_copy(os, out.os, sizeof(out.os)) &&
	    span_copy(architecture, out.architecture,
		      sizeof(out.architecture)) &&
	    span_copy(variant, out.variant, sizeof(out.variant)))
		return out;
	return (struct platform){ 0 };
}

bool platform_parse(struct span text, struct platform *out)
{
	struct span variant = text;
	struct span os = span_cut(&variant, '/');
	struct span architecture = span_cut(&variant, '/');

	*out = platform_make(os, architecture, variant);
	return *out->os && *out->architecture && span_find(variant, '/') < 0;
}

bool platform_eq(const struct platform *a, const struct platform *b)
{
	return *a->os && strcmp(a->os, b->os) == 0 &&
	       strcmp(a->architecture, b->architecture) == 0 &&
	       strcmp(a->variant, b->variant) == 0;
}
