/*
 * Whatever file comes in: it is refused in a sentence, or what was made of it
 * is whole: doors have addresses, upstreams have names and URLs, and what
 * refers to an upstream finds it. config check says the same, and what config
 * show prints is a configuration again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

static void check(bool promise)
{
	if (!promise)
		abort();
}

static bool is_upstream(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (strcmp(config->upstreams[i].name, name) == 0)
			return true;
	return false;
}

static void check_listen(const struct config *config)
{
	check(config->listen_count > 0);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *listen = &config->listen[i];

		check(listen->address && strchr(listen->address, ':'));
		check(!listen->tls.certificate == !listen->tls.key);
		check(listen->tls.key ||
		      (!listen->client_ca && !listen->more_count));
		for (size_t m = 0; m < listen->more_count; m++)
			check(listen->more[m].certificate &&
			      listen->more[m].key);
		check(!listen->upstream ||
		      is_upstream(config, listen->upstream));
	}
}

static void check_upstreams(const struct config *config)
{
	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct config_upstream *upstream = &config->upstreams[i];

		check(upstream->name && upstream->url_count > 0);
		for (size_t c = 0; c < upstream->credential_count; c++)
			check(upstream->credentials[c].username &&
			      upstream->credentials[c].password_file);
		check(upstream->tag_lifetime_ms >= 0);
		for (size_t u = 0; u < upstream->url_count; u++)
			check(strncmp(upstream->urls[u], "http", 4) == 0);
	}
	check(is_upstream(config, "docker.io"));
	check(!*config->mirror_default ||
	      is_upstream(config, config->mirror_default));
}

static void check_config(const struct config *config)
{
	check(*config->data && config->drain_ms >= 0);
	check(config->patience_ms >= 0 && config->upload_limit > 0);
	check(config->blob_limit >= 0);
	check(config->log_level <= LOG_ERROR);
	check_listen(config);
	check_upstreams(config);
}

/* What is shown is a configuration, and shows the same. */
static void check_shown(const struct config_source *source)
{
	auto_buf struct buf first = { 0 };
	struct err e;

	check(config_show(source, &first, &e) == 0);
	auto_fd int fd = memfd_create("shown", MFD_CLOEXEC);
	check(write(fd, first.at, first.len) == (ssize_t)first.len);
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	auto_of(config) struct config *config = NULL;
	check(config_load(&(struct config_source){ .path = path }, &config,
			  &e) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_of(config) struct config *config = NULL;
	auto_fd int fd = memfd_create("config", MFD_CLOEXEC);
	char path[32];
	struct err e;

	check(write(fd, bytes, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct config_source source = { .path = path };
	auto_buf struct buf problems = { 0 };
	int failed = config_load(&source, &config, &e);
	check((config_check(path, &problems) > 0) == (failed < 0));
	if (failed) {
		check(e.kind == ERR_USAGE && *e.message);
		return 0;
	}
	check_config(config);
	check_shown(&source);
	return 0;
}
