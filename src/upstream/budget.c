#include "upstream/budget.h"

#include <stdio.h>
#include <time.h>

#define COUNT_MAX 1000000
#define DAY_S 86400
#define RETRY_MAX_S (6 * 3600)
#define DATES_FROM 1000000000 /* seconds since 1970 */

static int64_t at_most(int64_t value, int64_t most)
{
	return value < most ? value : most;
}

/* "w=21600" among the parameters; 0: there is none. */
static int64_t find_window(struct span params)
{
	while (params.at) {
		struct span value = span_trim(span_cut(&params, ';'));
		struct span name = span_cut(&value, '=');

		if (span_is(name, "w") && span_decimal(value) > 0)
			return at_most(span_decimal(value), DAY_S);
	}
	return 0;
}

bool budget_parse(struct span header, struct budget_part *out)
{
	struct span params = span_cut(&header, ',');
	int64_t count = span_decimal(span_trim(span_cut(&params, ';')));

	*out = (struct budget_part){
		.count = at_most(count, COUNT_MAX),
		.window_s = find_window(params),
	};
	return count >= 0;
}

/* RFC 9110, 5.6.7: the form that servers send. -1 if it is none. */
static int64_t date_s(struct span text)
{
	char date[40];
	struct tm tm = { 0 };

	if (!span_copy(text, date, sizeof(date)))
		return -1;
	const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return end && !*end ? timegm(&tm) : -1;
}

int64_t budget_retry_ms(struct span header, int64_t wall_s)
{
	struct span text = span_trim(header);
	int64_t number = span_decimal(text);
	int64_t date = number < 0 ? date_s(text) : number;
	int64_t seconds = number;

	if (date < 0)
		return -1;
	if (number < 0 || number >= DATES_FROM)
		seconds = date > wall_s ? date - wall_s : 0;
	return at_most(seconds, RETRY_MAX_S) * 1000;
}

void budget_hear(struct budget *budget, struct span limit,
		 struct span remaining, int64_t now_ms)
{
	struct budget_part all, left;

	if (!limit.at || !remaining.at || !budget_parse(limit, &all) ||
	    !budget_parse(remaining, &left) || all.count == 0)
		return;
	*budget = (struct budget){
		.limit = all.count,
		.remaining = at_most(left.count, all.count),
		.window_s = all.window_s,
		.heard_ms = now_ms,
	};
}

int64_t budget_left(const struct budget *budget, int64_t now_ms)
{
	int64_t age_ms = now_ms - budget->heard_ms;

	if (budget->limit == 0)
		return -1;
	if (budget->window_s && age_ms >= budget->window_s * 1000)
		return budget->limit;
	return budget->remaining;
}

int64_t budget_stretch(const struct budget *budget, int64_t ms, int64_t now_ms)
{
	int64_t left = budget_left(budget, now_ms);

	if (left < 0 || left >= budget->limit - left)
		return ms;
	return ms * budget->limit / (left + 1);
}
