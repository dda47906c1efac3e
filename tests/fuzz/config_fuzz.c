/*
 * Whatever file comes in: it is refused in a sentence, or what was made of it
 * is whole: doors have addresses, upstreams have names and URLs, and what
 * refers to an upstream finds it.
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
		check(!listen->upstream ||
		      is_upstream(config, listen->upstream));
	}
}

static void check_upstreams(const struct config *config)
{
	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct config_upstream *upstream = &config->upstreams[i];

		check(upstream->name && upstream->url_count > 0);
		check(!upstream->username == !upstream->password_file);
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_of(config) struct config *config = NULL;
	auto_fd int fd = memfd_create("config", MFD_CLOEXEC);
	char path[32];
	struct err e;

	check(write(fd, bytes, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_load(&(struct config_source){ .path = path }, &config, &e) <
	    0)
		check(e.kind == ERR_USAGE && *e.message);
	else
		check_config(config);
	return 0;
}
