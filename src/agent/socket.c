#include "agent/socket.h"

#include "client/client.h"

enum { ASK_MS = 3000 };

static int body_take(struct span piece, void *arg, struct err *e)
{
	struct buf *out = arg;

	if (out->len + piece.len > SOCKET_MOST)
		return err_set(e, ERR_TOO_LARGE, "it tells too much");
	buf_add(out, piece);
	return 0;
}

int socket_ask(const char *socket, const char *path, struct buf *out,
	       struct err *e)
{
	const struct client_options options = { .proxy = "" };
	auto_of(client) struct client *client = NULL;
	auto_buf struct buf url = { 0 };
	struct client_result result;

	buf_addf(&url, "http://localhost%s", path);
	struct client_request request = {
		.method = "GET",
		.url = url.at,
		.socket = socket,
		.total_ms = ASK_MS,
		.on_body = body_take,
		.arg = out,
	};
	if (client_open(&options, &client, e) < 0 ||
	    client_perform(client, &request, &result, e) < 0)
		return -1;
	if (result.status == 200)
		return 0;
	return err_set(e, ERR_UPSTREAM, "it answers %d", result.status);
}
