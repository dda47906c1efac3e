/*
 * private-registry serve: from the start to the signal that ends it.
 *
 * Signals are the main thread's: TERM and INT end it, HUP reads configuration
 * and certificates again.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/house.h"
#include "cli/systemd.h"

static void say_started(const struct house *house)
{
	const struct config *config = house->config;

	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *door = &config->listen[i];
		struct log_line line;

		log_begin(&line, LOG_INFO, "listening");
		log_text(&line, "address", door->address);
		log_number(&line, "port", http_port(house->http, i));
		log_text(&line, "scheme",
			 door->tls.certificate ? "https" : "http");
		if (door->upstream)
			log_text(&line, "upstream", door->upstream);
		log_send(&line);
	}
	if (config->user != 0 && geteuid() == 0)
		log_say(LOG_WARN, "user",
			"%s is root's, and so it stays root; to change that, "
			"stop it, and chown -R %lld the directory",
			config->data, (long long)config->user);
	log_say(LOG_INFO, "started", "data in %s, a bare name is %s's",
		config->data,
		*config->mirror_default ? config->mirror_default : "nobody");
	systemd_tell("READY=1");
}

static void reload(struct house *house)
{
	struct err e;

	if (house_reload(house, &e) < 0)
		log_say(LOG_ERROR, "reload", "%s; everything stays as it was",
			e.message);
}

static void wait_for_end(struct house *house, const sigset_t *signals)
{
	sigset_t ends = *signals;
	int got;

	sigdelset(&ends, SIGHUP);
	while (sigwait(signals, &got) == 0 && got == SIGHUP)
		reload(house);
	log_say(LOG_INFO, "stopping", "got SIG%s, requests have %lld s to end",
		sigabbrev_np(got), (long long)house->config->drain_ms / 1000);
	systemd_tell("STOPPING=1");
	/* A second one ends it at once, which costs nobody anything durable. */
	pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
	enrol_end(house);
	http_drain(house->http, house->config->drain_ms);
	mirror_stop(house->mirror);
}

int serve_run(struct config *config, char *const *args, struct err *e)
{
	struct house house;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* as process 1 it has orphans to bury */

	mem_settle();
	log_open(config->log_level);
	int failed = house_open(&house, config, args, e);
	if (!failed) {
		say_started(&house);
		wait_for_end(&house, &signals);
	}
	house_close(&house);
	log_close();
	return failed;
}
