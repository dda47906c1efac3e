#include "cluster/told.h"

enum { QUIET_MS = 10000 };

bool told_is_news(struct told *told, const struct err *why, int64_t now_ms)
{
	if (why->kind == told->kind && why->sys == told->sys)
		return false;
	if (told->kind != ERR_NONE && now_ms < told->at_ms + QUIET_MS)
		return false;
	*told = (struct told){ why->kind, why->sys, now_ms };
	return true;
}
