/*
 * The table. The loader, the names of options and of variables, --help and
 * docs/configuration.md all read it; nothing about a key is said elsewhere.
 */
#include "config/keys.h"

#include "config/config.h"

static const struct list listen = {
	.at = offsetof(struct config, listen),
	.count_at = offsetof(struct config, listen_count),
	.size = sizeof(struct config_listen),
	.first = "listen[].address",
	.second = "listen[].upstream",
	.form = "ADDRESS[=UPSTREAM]",
};

static const struct list certificates = {
	.parent = &listen,
	.at = offsetof(struct config_listen, more),
	.count_at = offsetof(struct config_listen, more_count),
	.size = sizeof(struct config_certificate),
	.first = "listen[].tls.more[].certificate",
};

static const struct list proxies = {
	.at = offsetof(struct config, trusted_proxies),
	.count_at = offsetof(struct config, trusted_proxy_count),
	.size = sizeof(char *),
	.first = "trusted_proxies[]",
	.form = "NETWORK",
};

static const struct list upstreams = {
	.at = offsetof(struct config, upstreams),
	.count_at = offsetof(struct config, upstream_count),
	.size = sizeof(struct config_upstream),
	.first = "mirror.upstreams[].name",
	.second = "mirror.upstreams[].urls[]",
	.form = "NAME[=URL]",
};

static const struct list urls = {
	.parent = &upstreams,
	.at = offsetof(struct config_upstream, urls),
	.count_at = offsetof(struct config_upstream, url_count),
	.size = sizeof(char *),
	.first = "mirror.upstreams[].urls[]",
};

static const struct list allow = {
	.parent = &upstreams,
	.at = offsetof(struct config_upstream, allow),
	.count_at = offsetof(struct config_upstream, allow_count),
	.size = sizeof(char *),
	.first = "mirror.upstreams[].allow[]",
};

static const struct list platforms = {
	.parent = &upstreams,
	.at = offsetof(struct config_upstream, platforms),
	.count_at = offsetof(struct config_upstream, platform_count),
	.size = sizeof(char *),
	.first = "mirror.upstreams[].platforms[]",
};

static const struct list deny = {
	.parent = &upstreams,
	.at = offsetof(struct config_upstream, deny),
	.count_at = offsetof(struct config_upstream, deny_count),
	.size = sizeof(char *),
	.first = "mirror.upstreams[].deny[]",
};

static const struct list readers = {
	.parent = &upstreams,
	.at = offsetof(struct config_upstream, readers),
	.count_at = offsetof(struct config_upstream, reader_count),
	.size = sizeof(char *),
	.first = "mirror.upstreams[].readers[]",
};

static const struct list local = {
	.at = offsetof(struct config, local),
	.count_at = offsetof(struct config, local_count),
	.size = sizeof(char *),
	.first = "mirror.local[]",
	.form = "PATTERN",
};

static const struct list reserved = {
	.at = offsetof(struct config, reserved),
	.count_at = offsetof(struct config, reserved_count),
	.size = sizeof(char *),
	.first = "mirror.reserved[]",
	.form = "PATTERN",
};

static const struct list credentials = {
	.parent = &upstreams,
	.at = offsetof(struct config_upstream, credentials),
	.count_at = offsetof(struct config_upstream, credential_count),
	.size = sizeof(struct config_credential),
	.first = "mirror.upstreams[].credentials[].username",
};

static const struct list immutable = {
	.at = offsetof(struct config, immutable),
	.count_at = offsetof(struct config, immutable_count),
	.size = sizeof(struct config_immutable),
	.first = "immutable[].repositories",
};

static const struct list quotas = {
	.at = offsetof(struct config, quotas),
	.count_at = offsetof(struct config, quota_count),
	.size = sizeof(struct config_quota),
	.first = "quotas[].repositories",
};

static const struct list prefetch = {
	.at = offsetof(struct config, prefetch),
	.count_at = offsetof(struct config, prefetch_count),
	.size = sizeof(struct config_prefetch),
	.first = "mirror.prefetch[].image",
};

static const struct list keep = {
	.at = offsetof(struct config, keep),
	.count_at = offsetof(struct config, keep_count),
	.size = sizeof(struct config_keep),
	.first = "keep[].repositories",
};

static const struct list etcd = {
	.at = offsetof(struct config, cluster.etcd),
	.count_at = offsetof(struct config, cluster.etcd_count),
	.size = sizeof(char *),
	.first = "cluster.etcd[]",
	.form = "URL",
};

static const struct list advertise = {
	.at = offsetof(struct config, cluster.advertise),
	.count_at = offsetof(struct config, cluster.advertise_count),
	.size = sizeof(struct config_advertise),
	.first = "cluster.advertise[].url",
	.second = "cluster.advertise[].upstream",
	.form = "URL[=UPSTREAM]",
};

#define IN_CONFIG(field) NULL, offsetof(struct config, field)
#define IN_LISTEN(field) &listen, offsetof(struct config_listen, field)
#define IN_CERTIFICATE(field) \
	&certificates, offsetof(struct config_certificate, field)
#define IN_IMMUTABLE(field) &immutable, offsetof(struct config_immutable, field)
#define IN_PREFETCH(field) &prefetch, offsetof(struct config_prefetch, field)
#define IN_QUOTA(field) &quotas, offsetof(struct config_quota, field)
#define IN_KEEP(field) &keep, offsetof(struct config_keep, field)
#define IN_ADVERTISE(field) &advertise, offsetof(struct config_advertise, field)
#define IN_CREDENTIAL(field) \
	&credentials, offsetof(struct config_credential, field)
#define IN_UPSTREAM(field) &upstreams, offsetof(struct config_upstream, field)

/* clang-format off */
const struct key keys[] = {
	{ "data", DIRECTORY, IN_CONFIG(data), .initial = "./data",
	  .fixed = true,
	  .help = "where everything is kept",
	  .section = "General" },
	{ "drain", DURATION, IN_CONFIG(drain_ms), .initial = "30s",
	  .help = "how long a stop waits for requests under way" },
	{ "gc.grace", DURATION, IN_CONFIG(gc_grace_ms), .initial = "24h",
	  .fixed = true,
	  .help = "how long abandoned uploads and blobs that no manifest "
		  "names stay at least, and at most twice as long; counted "
		  "while the registry runs" },
	{ "limits.blob_size", SIZE, IN_CONFIG(blob_limit),
	  .help = "a blob that is larger cannot be pushed; without it there "
		  "is no limit" },
	{ "limits.uploads", NUMBER, IN_CONFIG(upload_limit), .initial = "64",
	  .help = "uploads at once; more have to wait" },
	{ "log.level", CHOICE, IN_CONFIG(log_level), .initial = "info",
	  .choices = "debug|info|warn|error",
	  .help = "the least to log",
	  .option = "--log-level" },
	{ "manifests.missing_blobs", CHOICE, IN_CONFIG(missing_blobs),
	  .choices = "refuse|accept", .initial = "refuse",
	  .help = "what becomes of a pushed manifest that names blobs which "
		  "are not here" },
	{ "user", USER, IN_CONFIG(user), .initial = "none",
	  .fixed = true,
	  .help = "whom root becomes: an empty data directory of root's is "
		  "given to this user; one that has another owner makes root "
		  "its owner; or none: root stays root" },
	{ "verify.every", DURATION, IN_CONFIG(verify_every_ms),
	  .initial = "30d",
	  .help = "how often all files are read back to find what is damaged; "
		  "counted while the registry runs; 0s: never" },
	{ "verify.rate", SIZE_OR_NONE, IN_CONFIG(verify_rate),
	  .initial = "50MiB",
	  .help = "how much of them is read in a second at most; or none" },

	{ "listen", LIST, IN_CONFIG(listen), .initial = ":5000",
	  .help = "where to answer; with an upstream, every name that comes "
		  "in there is that upstream's; several: repeat it, or use "
		  "commas",
	  .fills = &listen,
	  .fixed = true,
	  .section = "Listening" },
	{ "listen[].address", ADDRESS, IN_LISTEN(address), .fixed = true,
	  .help = "a port of all addresses, or one address and its port" },
	{ "listen[].upstream", UPSTREAM, IN_LISTEN(upstream), .fixed = true,
	  .help = "every name that comes in there is this upstream's" },
	{ "listen[].tls.certificate", FILE_PATH, IN_LISTEN(tls.certificate),
	  .fixed_set = true,
	  .help = "makes it HTTPS; PEM, with its chain",
	  .needs = { "listen[].tls.key" } },
	{ "listen[].tls.key", FILE_PATH, IN_LISTEN(tls.key),
	  .help = "the certificate's private key; PEM",
	  .needs = { "listen[].tls.certificate" } },
	{ "listen[].tls.more[].certificate", FILE_PATH,
	  IN_CERTIFICATE(certificate),
	  .help = "another one, for clients that ask for a name in it",
	  .needs = { "listen[].tls.more[].key", "listen[].tls.certificate" } },
	{ "listen[].tls.more[].key", FILE_PATH, IN_CERTIFICATE(key),
	  .help = "its private key; PEM",
	  .needs = { "listen[].tls.more[].certificate" } },
	{ "listen[].tls.client_ca", FILE_PATH, IN_LISTEN(client_ca),
	  .help = "clients show a certificate of these authorities; PEM",
	  .needs = { "listen[].tls.certificate" } },
	{ "listen[].tls.client", CHOICE, IN_LISTEN(client),
	  .choices = "optional|required", .initial = "required",
	  .help = "whether a client may do without a certificate",
	  .needs = { "listen[].tls.client_ca" } },
	{ "public_url", URL, IN_CONFIG(public_url),
	  .help = "how clients reach this registry, where that is not what "
		  "they send as Host" },
	{ "trusted_proxies", LIST, IN_CONFIG(trusted_proxies),
	  .help = "proxies that are believed when they say for whom they ask "
		  "(Forwarded, X-Forwarded-For); several: repeat it, or use "
		  "commas",
	  .fills = &proxies },
	{ "trusted_proxies[]", NETWORK, &proxies, 0,
	  .help = "one of them" },

	{ "read_only", CHOICE, IN_CONFIG(access), .choices = "false|true",
	  .initial = "false",
	  .help = "whether every push and deletion is refused; pulls and "
		  "mirroring go on",
	  .section = "Keeping" },
	{ "immutable[].repositories", PATTERN, IN_IMMUTABLE(repositories),
	  .help = "repositories with tags that, once pushed, are neither moved "
		  "nor deleted; * is any part of a component, ** any path" },
	{ "immutable[].tags", PATTERN, IN_IMMUTABLE(tags), .initial = "*",
	  .help = "which of their tags" },
	{ "quotas[].repositories", PATTERN, IN_QUOTA(repositories),
	  .help = "pushed repositories that together hold no more than a size",
	  .needs = { "quotas[].size" } },
	{ "quotas[].size", SIZE, IN_QUOTA(size),
	  .help = "bytes of their blobs, each counted once, and manifests" },
	{ "keep[].repositories", PATTERN, IN_KEEP(repositories),
	  .help = "pushed repositories of which not everything stays; if any "
		  "rule here has a clause for tags (the next four), a tag goes "
		  "unless one keeps it" },
	{ "keep[].last", NUMBER, IN_KEEP(last),
	  .help = "keeps so many tags, those pushed last" },
	{ "keep[].tags", PATTERN, IN_KEEP(tags),
	  .help = "keeps these tags" },
	{ "keep[].pushed_within", AGE, IN_KEEP(pushed_within_ms),
	  .help = "keeps tags pushed since; ages are counted while the "
		  "registry runs" },
	{ "keep[].pulled_within", AGE, IN_KEEP(pulled_within_ms),
	  .help = "keeps tags whose image was pulled or pushed since" },
	{ "keep[].untagged_after", AGE, IN_KEEP(untagged_after_ms),
	  .help = "a manifest without a tag goes after so long; without it it "
		  "stays" },
	{ "keep[].orphan_referrers", CHOICE, IN_KEEP(orphans),
	  .choices = "keep|remove", .initial = "keep",
	  .help = "whether a manifest whose subject is not here goes like one "
		  "without a tag",
	  .needs = { "keep[].untagged_after" } },

	{ "mirror.default", UPSTREAM_OR_NONE, IN_CONFIG(mirror_default),
	  .initial = "docker.io",
	  .help = "the upstream of names that were not pushed here and name "
		  "none; \"\": there is none",
	  .section = "Mirroring" },
	{ "mirror.local", LIST, IN_CONFIG(local),
	  .help = "names that mean what was pushed here, and are never asked "
		  "for upstream; they may be pushed even if they look like "
		  "another registry's, or begin with library/; several: "
		  "repeat it, or use commas",
	  .fills = &local },
	{ "mirror.local[]", PATTERN, &local, 0,
	  .help = "one of them; * is any part of a component, ** any path" },
	{ "mirror.reserved", LIST, IN_CONFIG(reserved),
	  .help = "names to which nothing is pushed; several: repeat it, or "
		  "use commas",
	  .fills = &reserved },
	{ "mirror.reserved[]", PATTERN, &reserved, 0,
	  .help = "one of them" },
	{ "mirror.cache.limit", SIZE_OR_NONE, IN_CONFIG(cache_limit),
	  .initial = "100GiB",
	  .help = "how much of upstreams' images is kept; above it those go "
		  "that nobody has pulled for the longest time; or none" },
	{ "mirror.cache.keep_free", SIZE_OR_NONE, IN_CONFIG(cache_keep_free),
	  .initial = "5GiB",
	  .help = "room on the disk that cached images leave to others, at "
		  "most a tenth of it; or none" },
	{ "mirror.patience", DURATION, IN_CONFIG(patience_ms), .initial = "1s",
	  .help = "how long a cached answer waits for a slow upstream" },
	{ "mirror.prefetch[].image", IMAGE, IN_PREFETCH(image),
	  .help = "an image that is fetched before anybody asks for it, soon "
		  "after the start; for the platforms of its upstream, or all" },
	{ "mirror.prefetch[].every", AGE, IN_PREFETCH(every_ms),
	  .initial = "1h",
	  .help = "and how often it is looked at again; counted while the "
		  "registry runs" },
	{ "mirror.upstreams", LIST, IN_CONFIG(upstreams),
	  .initial = "docker.io",
	  .help = "a registry to mirror; docker.io always is; several: repeat "
		  "it, or use commas",
	  .fills = &upstreams,
	  .fixed = true,
	  .option = "--upstream" },
	{ "mirror.upstreams[].name", HOST, IN_UPSTREAM(name), .fixed = true,
	  .help = "as in the names of its images" },
	{ "mirror.upstreams[].urls[]", URL, &urls, 0,
	  .help = "where it answers, the best first; without any: https:// "
		  "and its name" },
	{ "mirror.upstreams[].ca", FILE_PATH, IN_UPSTREAM(ca),
	  .help = "authorities to trust there, and no others; PEM" },
	{ "mirror.upstreams[].client_certificate", FILE_PATH,
	  IN_UPSTREAM(client_certificate),
	  .help = "shown there to whoever asks for one; PEM, with its chain",
	  .needs = { "mirror.upstreams[].client_key" } },
	{ "mirror.upstreams[].client_key", FILE_PATH, IN_UPSTREAM(client_key),
	  .help = "that certificate's private key; PEM",
	  .needs = { "mirror.upstreams[].client_certificate" } },
	{ "mirror.upstreams[].proxy", PROXY, IN_UPSTREAM(proxy),
	  .help = "the way there: http, https, socks5 or socks5h, perhaps with "
		  "user:password@; without it, as http_proxy, https_proxy and "
		  "no_proxy say" },
	{ "mirror.upstreams[].credentials[].username", TEXT,
	  IN_CREDENTIAL(username),
	  .help = "who logs in there; nobody without it; of several that with "
		  "the most left to ask, then the others, then nobody",
	  .needs = { "mirror.upstreams[].credentials[].password_file" } },
	{ "mirror.upstreams[].credentials[].password_file", FILE_PATH,
	  IN_CREDENTIAL(password_file),
	  .help = "the password, or a token, is its first line; it is read "
		  "again at each use",
	  .needs = { "mirror.upstreams[].credentials[].username" } },
	{ "mirror.upstreams[].tag_lifetime", DURATION,
	  IN_UPSTREAM(tag_lifetime_ms), .initial = "5m",
	  .help = "how long a tag is believed before asking again" },
	{ "mirror.upstreams[].not_found", CHOICE, IN_UPSTREAM(not_found),
	  .choices = "stale|pass", .initial = "stale",
	  .help = "a cached tag that is there no more (404): whether it is "
		  "served on, with a warning, or forgotten" },
	{ "mirror.upstreams[].not_found_lifetime", MOMENT,
	  IN_UPSTREAM(not_found_lifetime_ms), .initial = "10s",
	  .help = "how long it is believed that something is not there (404) "
		  "before asking again, at most 1m" },
	{ "mirror.upstreams[].allow[]", PATTERN, &allow, 0,
	  .help = "repositories to mirror, by their names there, and no "
		  "others" },
	{ "mirror.upstreams[].deny[]", PATTERN, &deny, 0,
	  .help = "repositories not to mirror, whatever is allowed" },
	{ "mirror.upstreams[].readers[]", READER, &readers, 0,
	  .help = "who may have what is mirrored of it: clients in a network, "
		  "or with a certificate of that name; without any: everybody, "
		  "but with credentials private addresses only" },
	{ "mirror.upstreams[].platforms[]", PLATFORM, &platforms, 0,
	  .help = "what is fetched of an image before it is asked for, once a "
		  "client has its index; without any: what a client has the "
		  "manifest of" },

	{ "cluster.etcd", LIST, IN_CONFIG(cluster.etcd), .fixed = true,
	  .help = "where etcd answers; hosts learn there of this registry, as "
		  "long as it is well; several endpoints: repeat it, or use "
		  "commas",
	  .fills = &etcd,
	  .option = "--etcd",
	  .section = "Cluster" },
	{ "cluster.etcd[]", ETCD, &etcd, 0, .fixed = true,
	  .help = "one of them" },
	{ "cluster.prefix", PREFIX, IN_CONFIG(cluster.prefix), .fixed = true,
	  .initial = "/private-registry/",
	  .help = "with what all keys there begin; its end is a slash" },
	{ "cluster.ca", FILE_PATH, IN_CONFIG(cluster.ca), .fixed = true,
	  .help = "authorities to trust there, and no others; PEM" },
	{ "cluster.client_certificate", FILE_PATH,
	  IN_CONFIG(cluster.client_certificate), .fixed = true,
	  .help = "shown to etcd; PEM, with its chain",
	  .needs = { "cluster.client_key" } },
	{ "cluster.client_key", FILE_PATH, IN_CONFIG(cluster.client_key),
	  .fixed = true,
	  .help = "that certificate's private key; PEM",
	  .needs = { "cluster.client_certificate" } },
	{ "cluster.username", TEXT, IN_CONFIG(cluster.username), .fixed = true,
	  .help = "who logs in to etcd",
	  .needs = { "cluster.password_file" } },
	{ "cluster.password_file", FILE_PATH, IN_CONFIG(cluster.password_file),
	  .fixed = true,
	  .help = "the password is its first line; it is read again at each "
		  "login",
	  .needs = { "cluster.username" } },
	{ "cluster.lease", LEASE, IN_CONFIG(cluster.lease_ms), .fixed = true,
	  .initial = "15s",
	  .help = "after so long hosts no longer find a registry that died" },
	{ "cluster.zone", WORD, IN_CONFIG(cluster.zone),
	  .help = "where this is; hosts prefer a registry of their own zone" },
	{ "cluster.weight", NUMBER, IN_CONFIG(cluster.weight),
	  .initial = "100",
	  .help = "of several registries, hosts prefer the one with the most" },
	{ "cluster.advertise", LIST, IN_CONFIG(cluster.advertise),
	  .help = "how hosts reach this registry; with an upstream, every name "
		  "there is that upstream's; without any: where it listens, at "
		  "the addresses that the default route uses; several: repeat "
		  "it, or use commas",
	  .fills = &advertise },
	{ "cluster.advertise[].url", URL, IN_ADVERTISE(url),
	  .help = "one of them" },
	{ "cluster.advertise[].upstream", UPSTREAM, IN_ADVERTISE(upstream),
	  .help = "every name there is this upstream's" },
	{ "cluster.advertise_ca", FILE_PATH, IN_CONFIG(cluster.advertise_ca),
	  .help = "authorities that hosts shall trust there; PEM" },

	{ "agent.registry", URL, IN_CONFIG(agent.registry),
	  .help = "the registry that private-registry agent points the "
		  "engines of its host at, for the images of every upstream "
		  "that is configured",
	  .option = "--registry",
	  .section = "The agent" },
	{ "agent.hub", URL, IN_CONFIG(agent.hub),
	  .help = "where that registry listens for Docker Hub's names alone; "
		  "Docker before 24.0.8 is pointed there",
	  .needs = { "agent.registry" },
	  .option = "--hub" },
	{ "agent.srv", URL, IN_CONFIG(agent.srv),
	  .help = "in its place: those that DNS names (SRV), the scheme and "
		  "the name in one, like http://_registry._tcp.example",
	  .option = "--srv" },
	{ "agent.ca", FILE_PATH, IN_CONFIG(agent.ca),
	  .help = "authorities that the host's engines shall trust there; PEM",
	  .option = "--ca" },
	{ "agent.canary", IMAGE, IN_CONFIG(agent.canary),
	  .help = "an image that has to come through a registry before an "
		  "engine is pointed at it; without it: the registry has to "
		  "answer" },
	{ "agent.hook", FILE_PATH, IN_CONFIG(agent.hook),
	  .help = "a program that is run after each change, with REGISTRY "
		  "(HOST:PORT) and REGISTRY_URL in its environment; empty: the "
		  "host is as it was" },
	{ "agent.name", WORD, IN_CONFIG(agent.name),
	  .help = "what this host is called in etcd; without it: as the kernel "
		  "says" },
	{ "agent.root", DIRECTORY, IN_CONFIG(agent.root), .initial = "/",
	  .help = "where the host's files are, for an agent in a container",
	  .option = "--root" },
};
/* clang-format on */

const size_t key_count = array_size(keys);
