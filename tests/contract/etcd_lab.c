#include "etcd_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int lab_open(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	for (size_t i = 0; i < 2; i++) {
		lab->servers[i] = fake_open("127.0.0.1");
		lab->urls[i] = fake_url(lab->servers[i]);
	}
	strcpy(lab->password_file, "/tmp/etcd-XXXXXX");
	int fd = mkstemp(lab->password_file);
	assert_int_equal(write(fd, "secret\n", 7), 7);
	close(fd);
	lab->options = (struct cluster_options){
		.urls = lab->urls,
		.url_count = 2,
		.prefix = "/p/",
	};
	lab->arena = arena_open();
	assert_int_equal(etcd_open(&lab->options, &lab->etcd, &lab->e), 0);
	*state = lab;
	return 0;
}

int lab_close(void **state)
{
	struct lab *lab = *state;

	etcd_close(&lab->etcd);
	arena_close(&lab->arena);
	unlink(lab->password_file);
	for (size_t i = 0; i < 2; i++)
		fake_close(&lab->servers[i]);
	free(lab);
	return 0;
}

void answers(struct lab *lab, const char *status, const char *json)
{
	fake_answer(lab->servers[0], FAKE_KEEP,
		    "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status,
		    strlen(json), json);
}

void answers_in_chunks(struct lab *lab, const char *status, const char *json)
{
	fake_answer(
		lab->servers[0], FAKE_KEEP,
		"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n"
		"Trailer: Grpc-Trailer-Content-Type\r\n\r\n%zx\r\n%s\r\n0\r\n"
		"Grpc-Trailer-Content-Type: application/grpc\r\n\r\n",
		status, strlen(json), json);
}

bool asked(struct lab *lab, size_t server, size_t index, const char *what)
{
	return strstr(fake_request(lab->servers[server], index), what);
}

void log_in_as_alice(struct lab *lab)
{
	lab->options.username = "alice";
	lab->options.password_file = lab->password_file;
}
