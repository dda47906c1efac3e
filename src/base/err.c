/*
 * Messages are put together in a buffer of their own, so that the arguments
 * may point into the error that is being changed.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const texts[ERR_KINDS] = {
	[ERR_NONE] = "none",
	[ERR_USAGE] = "usage",
	[ERR_REQUEST] = "request",
	[ERR_NAME_INVALID] = "name-invalid",
	[ERR_TAG_INVALID] = "tag-invalid",
	[ERR_DIGEST_INVALID] = "digest-invalid",
	[ERR_SIZE_INVALID] = "size-invalid",
	[ERR_MANIFEST_INVALID] = "manifest-invalid",
	[ERR_RANGE] = "range",
	[ERR_CHUNK_INVALID] = "chunk-invalid",
	[ERR_CHUNK_ORDER] = "chunk-order",
	[ERR_TOO_LARGE] = "too-large",
	[ERR_TOO_MANY] = "too-many",
	[ERR_UNSUPPORTED] = "unsupported",
	[ERR_METHOD] = "method",
	[ERR_DENIED] = "denied",
	[ERR_SLOW] = "slow",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_NAME_UNKNOWN] = "name-unknown",
	[ERR_BLOB_UNKNOWN] = "blob-unknown",
	[ERR_MANIFEST_UNKNOWN] = "manifest-unknown",
	[ERR_MANIFEST_BLOB_UNKNOWN] = "manifest-blob-unknown",
	[ERR_UPLOAD_UNKNOWN] = "upload-unknown",
	[ERR_IN_USE] = "in-use",
	[ERR_CONFLICT] = "conflict",
	[ERR_PRECONDITION] = "precondition",
	[ERR_NOT_HERE] = "not-here",
	[ERR_LOCKED] = "locked",
	[ERR_BUSY] = "busy",
	[ERR_TIMEOUT] = "timeout",
	[ERR_CLOSED] = "closed",
	[ERR_UPSTREAM] = "upstream",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_LOOP] = "loop",
	[ERR_NO_SPACE] = "no-space",
	[ERR_CORRUPT] = "corrupt",
	[ERR_IO] = "io",
	[ERR_INTERNAL] = "internal",
};

const char *err_kind_text(enum err_kind kind)
{
	return kind < ERR_KINDS ? texts[kind] : "unknown";
}

/* Strangers' words may be in it: it stays one line. */
static void message_set(struct err *e, const char *text)
{
	size_t len = strnlen(text, sizeof(e->message) - 1);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		e->message[i] = c < ' ' || c == 0x7f ? '?' : text[i];
	}
	e->message[len] = '\0';
}

int err_set(struct err *e, enum err_kind kind, const char *format, ...)
{
	char text[sizeof(e->message)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	message_set(e, text);
	e->kind = kind;
	e->sys = 0;
	e->retry_s = 0;
	return -1;
}

static enum err_kind kind_of(int sys)
{
	if (sys == EMFILE || sys == ENFILE)
		return ERR_BUSY;
	return sys == ENOSPC || sys == EDQUOT ? ERR_NO_SPACE : ERR_IO;
}

int err_sys(struct err *e, const char *format, ...)
{
	int sys = errno;
	char clause[sizeof(e->message)];
	char text[2 * sizeof(e->message) + 2];
	va_list args;

	va_start(args, format);
	vsnprintf(clause, sizeof(clause), format, args);
	va_end(args);
	errno = sys;
	snprintf(text, sizeof(text), "%s: %m", clause);
	message_set(e, text);
	e->kind = kind_of(sys);
	e->sys = sys;
	e->retry_s = 0;
	return -1;
}

int err_wrap(struct err *e, const char *format, ...)
{
	char clause[sizeof(e->message)];
	char text[2 * sizeof(e->message) + 2];
	va_list args;

	va_start(args, format);
	vsnprintf(clause, sizeof(clause), format, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s: %s", clause, e->message);
	message_set(e, text);
	return -1;
}
