#include "client/pem.h"

#include <string.h>

#include "base/io.h"

#define SIZE_MOST ((size_t)4 * 1024 * 1024) /* bytes */

static const struct {
	const char *mark;
	const char *what;
} kinds[] = {
	[PEM_CERTIFICATE] = { "-----BEGIN CERTIFICATE", "certificate" },
	[PEM_KEY] = { "PRIVATE KEY-----", "private key" },
};

int pem_check(const char *path, enum pem kind, struct err *e)
{
	const char *mark = kinds[kind].mark;
	auto_buf struct buf pem = { 0 };

	if (!path)
		return 0;
	if (io_read_file(path, SIZE_MOST, &pem, e) < 0) {
		e->kind = ERR_USAGE;
		return -1;
	}
	if (!memmem(buf_span(&pem).at, pem.len, mark, strlen(mark)))
		return err_set(e, ERR_USAGE, "%s: no PEM %s in it", path,
			       kinds[kind].what);
	return 0;
}
