/*
 * Files of the host, whatever stands in them: what is put in comes out again,
 * and every other byte stays.
 */
#include <stdlib.h>

#include "agent/engine.h"
#include "agent/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

static void environment_check(struct span text)
{
	static const struct span line = { "DOCKER_REPO=10.0.0.5:5000/", 26 };
	auto_buf struct buf with = { 0 };
	auto_buf struct buf without = { 0 };
	struct err e;

	if (kind_environment.is_marked(text)) {
		kind_environment.take(text, line, &without);
		check(without.len < text.len);
		return;
	}
	if (kind_environment.put(text, line, &with, &e) < 0) {
		check(e.kind == ERR_CONFLICT);
		return;
	}
	check(kind_environment.has(buf_span(&with), line));
	kind_environment.take(buf_span(&with), line, &without);
	check(span_eq(buf_span(&without), text));
}

static void daemon_check(struct span text)
{
	static const struct span element =
		SPAN("registry-mirrors=http://a insecure-registries=a:1");
	auto_buf struct buf with = { 0 };
	auto_buf struct buf without = { 0 };
	auto_buf struct buf ignored = { 0 };
	struct err e;

	kind_daemon.take(text, element, &ignored);
	if (kind_daemon.put(text, element, &with, &e) < 0) {
		check(e.kind == ERR_CONFLICT);
		return;
	}
	check(kind_daemon.has(buf_span(&with), element));
	kind_daemon.take(buf_span(&with), element, &without);
	check(span_eq(buf_span(&without), text));
}

static void splice_check(const struct kind *kind, struct span element,
			 struct span text)
{
	auto_buf struct buf with = { 0 };
	auto_buf struct buf without = { 0 };
	struct err e;

	kind->take(text, element, &without);
	check(without.len <= text.len);
	if (kind->put(text, element, &with, &e) < 0) {
		check(e.kind == ERR_CONFLICT);
		return;
	}
	check(kind->has(buf_span(&with), element));
	buf_clear(&without);
	kind->take(buf_span(&with), element, &without);
	check(span_eq(buf_span(&without), text));
}

static void proxies_check(struct span text)
{
	static const struct client_url urls[] = {
		{ .scheme = "http", .host = "a.lan", .port = "80" },
		{ .scheme = "https", .host = "[fd00::1]", .port = "5000" },
	};

	for (size_t i = 0; i < array_size(urls); i++)
		proxy_is_asked(text, &urls[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span text = span_make((const char *)input, size);
	struct span path = containerd_config_path(text);

	environment_check(text);
	daemon_check(text);
	containers_names(text, "docker.io");
	containerd_has_cri(text);
	rancher_names(text, "docker.io");
	containerd_config_file(text);
	tables_name(text, "docker.io");
	splice_check(&kind_tables, SPAN("[a]\n"), text);
	splice_check(&kind_config_path, SPAN("config_path = \"/a\""), text);
	podman_serves(text);
	podman_socket(text);
	proxies_check(text);
	check(!path.at ||
	      (path.at > text.at && path.at + path.len < text.at + text.len));
	return 0;
}
