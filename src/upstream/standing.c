#include "upstream/standing.h"

#include "base/mem.h"
#include "upstream/account.h"
#include "upstream/token.h"

static int add_address(struct standing *standing, const char *url,
		       const char *upstream, struct err *e)
{
	struct address *address = &standing->addresses[standing->address_count];
	struct span text = span_of(url);

	if (span_ends(text, "/"))
		text.len--;
	if (!client_url_parse(text, &address->parsed) ||
	    address->parsed.path.at != text.at + text.len)
		return err_set(e, ERR_USAGE,
			       "\"%s\", a url of upstream %s, is not of the "
			       "form https://host[:port]",
			       url, upstream);
	address->url = mem_text(url);
	address->url[text.len] = '\0';
	standing->address_count++;
	return 0;
}

int standing_open(const struct upstream_options *options, struct standing **out,
		  struct err *e)
{
	auto_of(standing) struct standing *standing =
		mem_alloc(sizeof(*standing));

	standing->references = 1;
	standing->tokens = tokens_open();
	health_open(&standing->health);
	standing->addresses =
		mem_array(options->url_count, sizeof(*standing->addresses));
	for (size_t i = 0; i < options->url_count; i++)
		if (add_address(standing, options->urls[i], options->name, e) <
		    0)
			return -1;
	if (accounts_open(options, &standing->accounts, e) < 0)
		return -1;
	*out = steal_ptr(&standing);
	return 0;
}

struct standing *standing_keep(struct standing *standing)
{
	standing->references++;
	return standing;
}

void standing_close(struct standing **at)
{
	struct standing *standing = steal_ptr(at);

	if (!standing || --standing->references > 0)
		return;
	for (size_t i = 0; i < standing->address_count; i++)
		free(standing->addresses[i].url);
	free(standing->addresses);
	tokens_close(&standing->tokens);
	health_close(&standing->health);
	accounts_close(&standing->accounts);
	free(standing);
}

bool standing_same(const struct standing *a, const struct standing *b)
{
	if (a->address_count != b->address_count)
		return false;
	for (size_t i = 0; i < a->address_count; i++)
		if (strcmp(a->addresses[i].url, b->addresses[i].url) != 0)
			return false;
	return accounts_same(a->accounts, b->accounts);
}
