/*
 * Promises of config/config.h about each key: its default, and the file, the
 * environment and the options, each of which outweighs those before it.
 */
#include "config/keys.h"
#include "config_keys_read.h"
#include "config_load.h"

/* A door with a certificate, and what else it has. */
#define TLS_YAML                                                       \
	"listen: [{address: ':1', tls: {certificate: /dev/null, key: " \
	"/dev/null, "
#define TLS_ENV                                                \
	ENV "LISTEN=:1 " ENV "LISTEN_0_TLS_KEY=/dev/null " ENV \
	    "LISTEN_0_TLS_CERTIFICATE=/dev/null " ENV "LISTEN_0_TLS_"
#define TLS_FLAG                                            \
	"--listen=:1 --listen.0.tls.certificate=/dev/null " \
	"--listen.0.tls.key=/dev/null --listen.0.tls."
#define KEEP_YAML "keep: [{repositories: '**', "
#define KEEP_ENV ENV "KEEP_0_REPOSITORIES=** " ENV "KEEP_0_"
#define KEEP_FLAG "--keep.0.repositories=** --keep.0."
#define UPSTREAM_YAML "mirror: {upstreams: [{name: docker.io, "
#define UPSTREAM_ENV ENV "MIRROR_UPSTREAMS_0_"

/* Files that can be read wherever the test runs. */
#define DEVICES                                                             \
	{                                                                   \
		{ "/dev/null", "/dev/null" }, { "/dev/zero", "/dev/zero" }, \
		{                                                           \
			"/dev/random", "/dev/random"                        \
		}                                                           \
	}

/* clang-format off */
/*
 * Of each key: how it is written in the three places, how to read it, what it
 * is by default, and of each place what is written and what is read.
 */
static const struct row {
	const char *key;
	struct written written;
	const char *(*read)(const struct config *);
	const char *initial;
	const char *values[3][2];
} rows[] = {
	{ "data",
	  { "data: %s", ENV "DATA=%s", "--data=%s" },
	  data, "./data",
	  { { "/file", "/file" }, { "env", "env" }, { "./flag", "./flag" } } },
	{ "drain",
	  { "drain: %s", ENV "DRAIN=%s", "--drain=%s" },
	  drain, "30000",
	  { { "500ms", "500" }, { "5m", "300000" }, { "24h", "86400000" } } },
	{ "gc.grace",
	  { "gc: {grace: %s}", ENV "GC_GRACE=%s", "--gc.grace=%s" },
	  grace, "86400000",
	  { { "1s", "1000" }, { "2m", "120000" }, { "7d", "604800000" } } },
	{ "limits.blob_size",
	  { "limits: {blob_size: %s}", ENV "LIMITS_BLOB_SIZE=%s",
	    "--limits.blob_size=%s" },
	  blob_size, "0",
	  { { "10GiB", "10737418240" },
	    { "500MB", "500000000" },
	    { "1B", "1" } } },
	{ "limits.uploads",
	  { "limits: {uploads: %s}", ENV "LIMITS_UPLOADS=%s",
	    "--limits.uploads=%s" },
	  uploads, "64",
	  { { "1", "1" }, { "2", "2" }, { "10000", "10000" } } },
	{ "log.level",
	  { "log: {level: %s}", ENV "LOG_LEVEL=%s", "--log-level=%s" },
	  level, "1",
	  { { "debug", "0" }, { "warn", "2" }, { "error", "3" } } },
	{ "manifests.missing_blobs",
	  { "manifests: {missing_blobs: %s}", ENV "MANIFESTS_MISSING_BLOBS=%s",
	    "--manifests.missing_blobs=%s" },
	  missing_blobs, "0",
	  { { "accept", "1" }, { "refuse", "0" }, { "accept", "1" } } },
	{ "user",
	  { "user: %s", ENV "USER=%s", "--user=%s" },
	  user, "0",
	  { { "1000", "1000" },
	    { "2147483647", "2147483647" },
	    { "none", "0" } } },
	{ "verify.every",
	  { "verify: {every: %s}", ENV "VERIFY_EVERY=%s", "--verify.every=%s" },
	  verify_every, "2592000000",
	  { { "7d", "604800000" }, { "1h", "3600000" }, { "0s", "0" } } },
	{ "verify.rate",
	  { "verify: {rate: %s}", ENV "VERIFY_RATE=%s", "--verify.rate=%s" },
	  verify_rate, "52428800",
	  { { "1MB", "1000000" }, { "2KiB", "2048" }, { "none", "0" } } },

	{ "listen",
	  { "listen: '%s'", ENV "LISTEN=%s", "--listen=%s" },
	  address, ":5000",
	  { { ":1", ":1" }, { ":2", ":2" }, { "[::1]:3", "[::1]:3" } } },
	{ "listen[].address",
	  { "listen: [{address: '%s'}]", ENV "LISTEN_0_ADDRESS=%s",
	    "--listen.0.address=%s" },
	  address, ":5000",
	  { { "10.0.0.1:1", "10.0.0.1:1" }, { ":0", ":0" }, { "h:3", "h:3" } } },
	{ "listen[].upstream",
	  { "listen: [{address: ':1', upstream: %s}]",
	    ENV "LISTEN=:1 " ENV "LISTEN_0_UPSTREAM=%s",
	    "--upstream=a.b,c.d --listen=:1 --listen.0.upstream=%s" },
	  bound, NULL,
	  { { "docker.io", "docker.io" },
	    { "docker.io", "docker.io" },
	    { "c.d", "c.d" } } },
	{ "listen[].tls.certificate",
	  { "listen: [{address: ':1', tls: {certificate: %s, key: /dev/null}}]",
	    ENV "LISTEN_0_TLS_CERTIFICATE=%s " ENV "LISTEN=:1 "
	    ENV "LISTEN_0_TLS_KEY=/dev/null",
	    "--listen=:1 --listen.0.tls.certificate=%s "
	    "--listen.0.tls.key=/dev/null" },
	  certificate, NULL, DEVICES },
	{ "listen[].tls.key",
	  { "listen: [{address: ':1', tls: {certificate: /dev/null, key: %s}}]",
	    ENV "LISTEN_0_TLS_CERTIFICATE=/dev/null " ENV "LISTEN=:1 "
	    ENV "LISTEN_0_TLS_KEY=%s",
	    "--listen=:1 --listen.0.tls.certificate=/dev/null "
	    "--listen.0.tls.key=%s" },
	  private_key, NULL, DEVICES },

	{ "listen[].tls.more[].certificate",
	  { TLS_YAML "more: [{certificate: %s, key: /dev/null}]}}]",
	    TLS_ENV "MORE_0_CERTIFICATE=%s " ENV
	    "LISTEN_0_TLS_MORE_0_KEY=/dev/null",
	    TLS_FLAG "more.0.certificate=%s "
	    "--listen.0.tls.more.0.key=/dev/null" },
	  other_certificate, NULL, DEVICES },
	{ "listen[].tls.more[].key",
	  { TLS_YAML "more: [{certificate: /dev/null, key: %s}]}}]",
	    TLS_ENV "MORE_0_KEY=%s " ENV
	    "LISTEN_0_TLS_MORE_0_CERTIFICATE=/dev/null",
	    TLS_FLAG "more.0.key=%s "
	    "--listen.0.tls.more.0.certificate=/dev/null" },
	  other_key, NULL, DEVICES },
	{ "listen[].tls.client_ca",
	  { TLS_YAML "client_ca: %s}}]", TLS_ENV "CLIENT_CA=%s",
	    TLS_FLAG "client_ca=%s" },
	  client_ca, NULL, DEVICES },
	{ "listen[].tls.client",
	  { TLS_YAML "client_ca: /dev/null, client: %s}}]",
	    TLS_ENV "CLIENT=%s " ENV "LISTEN_0_TLS_CLIENT_CA=/dev/null",
	    TLS_FLAG "client=%s --listen.0.tls.client_ca=/dev/null" },
	  client, "1",
	  { { "optional", "0" }, { "required", "1" }, { "optional", "0" } } },
	{ "public_url",
	  { "public_url: '%s'", ENV "PUBLIC_URL=%s", "--public_url=%s" },
	  public_url, NULL,
	  { { "https://a", "https://a" },
	    { "http://b:1/", "http://b:1" },
	    { "https://[::1]", "https://[::1]" } } },
	{ "trusted_proxies",
	  { "trusted_proxies: '%s'", ENV "TRUSTED_PROXIES=%s",
	    "--trusted_proxies=%s" },
	  proxy, NULL,
	  { { "10.0.0.1", "10.0.0.1" },
	    { "fd00::/8,::1", "fd00::/8" },
	    { "0.0.0.0/0", "0.0.0.0/0" } } },
	{ "trusted_proxies[]",
	  { "trusted_proxies: ['%s']", ENV "TRUSTED_PROXIES_0=%s",
	    "--trusted_proxies.0=%s" },
	  proxy, NULL,
	  { { "10.0.0.1", "10.0.0.1" },
	    { "fd00::/8", "fd00::/8" },
	    { "0.0.0.0/0", "0.0.0.0/0" } } },

	{ "read_only",
	  { "read_only: %s", ENV "READ_ONLY=%s", "--read_only=%s" },
	  access_to, "0",
	  { { "true", "1" }, { "false", "0" }, { "true", "1" } } },
	{ "immutable[].repositories",
	  { "immutable: [{repositories: '%s'}]", ENV "IMMUTABLE_0_REPOSITORIES=%s",
	    "--immutable.0.repositories=%s" },
	  immutable, NULL,
	  { { "a", "a" }, { "a/*", "a/*" }, { "**", "**" } } },
	{ "immutable[].tags",
	  { "immutable: [{repositories: a, tags: '%s'}]",
	    ENV "IMMUTABLE_0_REPOSITORIES=a " ENV "IMMUTABLE_0_TAGS=%s",
	    "--immutable.0.repositories=a --immutable.0.tags=%s" },
	  immutable_tags, NULL,
	  { { "v*", "v*" }, { "V1_*.*", "V1_*.*" }, { "*", "*" } } },
	{ "quotas[].repositories",
	  { "quotas: [{repositories: '%s', size: 1B}]",
	    ENV "QUOTAS_0_SIZE=1B " ENV "QUOTAS_0_REPOSITORIES=%s",
	    "--quotas.0.size=1B --quotas.0.repositories=%s" },
	  quota, NULL,
	  { { "a", "a" }, { "a/*", "a/*" }, { "**", "**" } } },
	{ "quotas[].size",
	  { "quotas: [{repositories: a, size: %s}]",
	    ENV "QUOTAS_0_REPOSITORIES=a " ENV "QUOTAS_0_SIZE=%s",
	    "--quotas.0.repositories=a --quotas.0.size=%s" },
	  quota_size, NULL,
	  { { "1B", "1" }, { "2KB", "2000" }, { "1GiB", "1073741824" } } },
	{ "keep[].repositories",
	  { "keep: [{repositories: '%s'}]", ENV "KEEP_0_REPOSITORIES=%s",
	    "--keep.0.repositories=%s" },
	  keep, NULL,
	  { { "a", "a" }, { "a/*", "a/*" }, { "**", "**" } } },
	{ "keep[].last",
	  { KEEP_YAML "last: %s}]", KEEP_ENV "LAST=%s", KEEP_FLAG "last=%s" },
	  keep_last, NULL,
	  { { "1", "1" }, { "10", "10" }, { "10000", "10000" } } },
	{ "keep[].tags",
	  { KEEP_YAML "tags: '%s'}]", KEEP_ENV "TAGS=%s", KEEP_FLAG "tags=%s" },
	  keep_tags, NULL,
	  { { "v*", "v*" }, { "latest", "latest" }, { "*", "*" } } },
	{ "keep[].pushed_within",
	  { KEEP_YAML "pushed_within: %s}]", KEEP_ENV "PUSHED_WITHIN=%s",
	    KEEP_FLAG "pushed_within=%s" },
	  keep_pushed, NULL,
	  { { "1s", "1000" }, { "2m", "120000" }, { "7d", "604800000" } } },
	{ "keep[].pulled_within",
	  { KEEP_YAML "pulled_within: %s}]", KEEP_ENV "PULLED_WITHIN=%s",
	    KEEP_FLAG "pulled_within=%s" },
	  keep_pulled, NULL,
	  { { "1s", "1000" }, { "2m", "120000" }, { "7d", "604800000" } } },
	{ "keep[].untagged_after",
	  { KEEP_YAML "untagged_after: %s}]", KEEP_ENV "UNTAGGED_AFTER=%s",
	    KEEP_FLAG "untagged_after=%s" },
	  keep_untagged, NULL,
	  { { "1s", "1000" }, { "2m", "120000" }, { "7d", "604800000" } } },
	{ "keep[].orphan_referrers",
	  { KEEP_YAML "untagged_after: 1d, orphan_referrers: %s}]",
	    KEEP_ENV "UNTAGGED_AFTER=1d " ENV "KEEP_0_ORPHAN_REFERRERS=%s",
	    KEEP_FLAG "untagged_after=1d --keep.0.orphan_referrers=%s" },
	  keep_orphans, NULL,
	  { { "remove", "1" }, { "keep", "0" }, { "remove", "1" } } },

	{ "mirror.default",
	  { "mirror: {default: '%s', upstreams: a.b}",
	    ENV "MIRROR_DEFAULT=%s", "--mirror.default=%s" },
	  standard, "docker.io",
	  { { "a.b", "a.b" }, { "", "" }, { "docker.io", "docker.io" } } },
	{ "mirror.local",
	  { "mirror: {local: '%s'}", ENV "MIRROR_LOCAL=%s",
	    "--mirror.local=%s" },
	  local, NULL,
	  { { "a/**,b", "a/**" }, { "b", "b" }, { "library/*", "library/*" } } },
	{ "mirror.local[]",
	  { "mirror: {local: ['%s']}", ENV "MIRROR_LOCAL_0=%s",
	    "--mirror.local.0=%s" },
	  local, NULL,
	  { { "a/**", "a/**" }, { "b", "b" }, { "*", "*" } } },
	{ "mirror.reserved",
	  { "mirror: {reserved: '%s'}", ENV "MIRROR_RESERVED=%s",
	    "--mirror.reserved=%s" },
	  reserved, NULL,
	  { { "a/**,b", "a/**" }, { "b", "b" }, { "*", "*" } } },
	{ "mirror.reserved[]",
	  { "mirror: {reserved: ['%s']}", ENV "MIRROR_RESERVED_0=%s",
	    "--mirror.reserved.0=%s" },
	  reserved, NULL,
	  { { "a/**", "a/**" }, { "b", "b" }, { "*", "*" } } },
	{ "mirror.cache.limit",
	  { "mirror: {cache: {limit: %s}}", ENV "MIRROR_CACHE_LIMIT=%s",
	    "--mirror.cache.limit=%s" },
	  cache_limit, "107374182400",
	  { { "1GiB", "1073741824" }, { "none", "0" }, { "1B", "1" } } },
	{ "mirror.cache.keep_free",
	  { "mirror: {cache: {keep_free: %s}}", ENV "MIRROR_CACHE_KEEP_FREE=%s",
	    "--mirror.cache.keep_free=%s" },
	  keep_free, "5368709120",
	  { { "none", "0" }, { "1KB", "1000" }, { "2TiB", "2199023255552" } } },
	{ "mirror.patience",
	  { "mirror: {patience: %s}", ENV "MIRROR_PATIENCE=%s",
	    "--mirror.patience=%s" },
	  patience, "1000",
	  { { "0s", "0" }, { "1d", "86400000" }, { "7ms", "7" } } },
	{ "mirror.prefetch[].image",
	  { "mirror: {prefetch: [{image: '%s'}]}",
	    ENV "MIRROR_PREFETCH_0_IMAGE=%s", "--mirror.prefetch.0.image=%s" },
	  prefetch_image, NULL,
	  { { "a", "a" }, { "b:1", "b:1" }, { "ghcr.io/c", "ghcr.io/c" } } },
	{ "mirror.prefetch[].every",
	  { "mirror: {prefetch: [{image: a, every: %s}]}",
	    ENV "MIRROR_PREFETCH_0_IMAGE=a " ENV
		"MIRROR_PREFETCH_0_EVERY=%s",
	    "--mirror.prefetch.0.image=a --mirror.prefetch.0.every=%s" },
	  prefetch_every, NULL,
	  { { "1s", "1000" }, { "2m", "120000" }, { "7d", "604800000" } } },
	{ "mirror.upstreams",
	  { "mirror: {upstreams: '%s'}", ENV "MIRROR_UPSTREAMS=%s",
	    "--upstream=%s" },
	  name, "docker.io",
	  { { "ghcr.io", "ghcr.io" },
	    { "h:5000=http://a", "h:5000" },
	    { "localhost", "localhost" } } },
	{ "mirror.upstreams[].name",
	  { "mirror: {upstreams: [{name: '%s'}]}", UPSTREAM_ENV "NAME=%s",
	    "--mirror.upstreams.0.name=%s" },
	  name, "docker.io",
	  { { "ghcr.io", "ghcr.io" }, { "h:1", "h:1" }, { "a.b", "a.b" } } },
	{ "mirror.upstreams[].urls[]",
	  { UPSTREAM_YAML "urls: ['%s']}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "URLS_0=%s",
	    "--mirror.upstreams=docker.io --mirror.upstreams.0.urls.0=%s" },
	  url, "https://registry-1.docker.io",
	  { { "http://a", "http://a" },
	    { "https://b:1/", "https://b:1" },
	    { "http://[::1]:2", "http://[::1]:2" } } },
	{ "mirror.upstreams[].ca",
	  { UPSTREAM_YAML "ca: %s}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "CA=%s",
	    "--upstream=docker.io --mirror.upstreams.0.ca=%s" },
	  ca, NULL, DEVICES },
	{ "mirror.upstreams[].client_certificate",
	  { UPSTREAM_YAML "client_key: /dev/null, client_certificate: %s}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "CLIENT_KEY=/dev/null "
	    UPSTREAM_ENV "CLIENT_CERTIFICATE=%s",
	    "--upstream=docker.io --mirror.upstreams.0.client_key=/dev/null "
	    "--mirror.upstreams.0.client_certificate=%s" },
	  client_certificate, NULL, DEVICES },
	{ "mirror.upstreams[].client_key",
	  { UPSTREAM_YAML "client_certificate: /dev/null, client_key: %s}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV
	    "CLIENT_CERTIFICATE=/dev/null " UPSTREAM_ENV "CLIENT_KEY=%s",
	    "--upstream=docker.io "
	    "--mirror.upstreams.0.client_certificate=/dev/null "
	    "--mirror.upstreams.0.client_key=%s" },
	  client_key, NULL, DEVICES },
	{ "mirror.upstreams[].proxy",
	  { UPSTREAM_YAML "proxy: '%s'}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "PROXY=%s",
	    "--upstream=docker.io --mirror.upstreams.0.proxy=%s" },
	  forward, NULL,
	  { { "http://a", "http://a" },
	    { "socks5://u:p%40@b:1/", "socks5://u:p%40@b:1" },
	    { "https://u@[::1]:2", "https://u@[::1]:2" } } },
	{ "mirror.upstreams[].credentials[].username",
	  { UPSTREAM_YAML "credentials: [{password_file: /dev/null, "
	    "username: %s}]}]}",
	    UPSTREAM_ENV "NAME=docker.io "
	    UPSTREAM_ENV "CREDENTIALS_0_USERNAME=%s "
	    UPSTREAM_ENV "CREDENTIALS_0_PASSWORD_FILE=/dev/null",
	    "--upstream=docker.io "
	    "--mirror.upstreams.0.credentials.0.username=%s "
	    "--mirror.upstreams.0.credentials.0.password_file=/dev/null" },
	  username, NULL,
	  { { "a", "a" }, { "b", "b" }, { "c", "c" } } },
	{ "mirror.upstreams[].credentials[].password_file",
	  { UPSTREAM_YAML "credentials: [{password_file: %s, "
	    "username: u}]}]}",
	    UPSTREAM_ENV "NAME=docker.io "
	    UPSTREAM_ENV "CREDENTIALS_0_USERNAME=u "
	    UPSTREAM_ENV "CREDENTIALS_0_PASSWORD_FILE=%s",
	    "--upstream=docker.io "
	    "--mirror.upstreams.0.credentials.0.username=u "
	    "--mirror.upstreams.0.credentials.0.password_file=%s" },
	  password_file, NULL, DEVICES },
	{ "mirror.upstreams[].tag_lifetime",
	  { UPSTREAM_YAML "tag_lifetime: %s}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "TAG_LIFETIME=%s",
	    "--upstream=docker.io --mirror.upstreams.0.tag_lifetime=%s" },
	  tag_lifetime, "300000",
	  { { "1s", "1000" }, { "2s", "2000" }, { "3s", "3000" } } },
	{ "mirror.upstreams[].not_found",
	  { UPSTREAM_YAML "not_found: %s}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "NOT_FOUND=%s",
	    "--upstream=docker.io --mirror.upstreams.0.not_found=%s" },
	  not_found, "0",
	  { { "pass", "1" }, { "stale", "0" }, { "pass", "1" } } },
	{ "mirror.upstreams[].not_found_lifetime",
	  { UPSTREAM_YAML "not_found_lifetime: %s}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV
	    "NOT_FOUND_LIFETIME=%s",
	    "--upstream=docker.io --mirror.upstreams.0.not_found_lifetime=%s" },
	  not_found_lifetime, "10000",
	  { { "0s", "0" }, { "1m", "60000" }, { "1ms", "1" } } },
	{ "mirror.upstreams[].allow[]",
	  { UPSTREAM_YAML "allow: ['%s']}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "ALLOW_0=%s",
	    "--upstream=docker.io --mirror.upstreams.0.allow.0=%s" },
	  allow, NULL,
	  { { "a/**", "a/**" }, { "b", "b" }, { "*", "*" } } },
	{ "mirror.upstreams[].deny[]",
	  { UPSTREAM_YAML "deny: ['%s']}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "DENY_0=%s",
	    "--upstream=docker.io --mirror.upstreams.0.deny.0=%s" },
	  deny, NULL,
	  { { "a/**", "a/**" }, { "b", "b" }, { "*", "*" } } },
	{ "mirror.upstreams[].readers[]",
	  { UPSTREAM_YAML "readers: ['%s']}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "READERS_0=%s",
	    "--upstream=docker.io --mirror.upstreams.0.readers.0=%s" },
	  reader, NULL,
	  { { "10.0.0.0/8", "10.0.0.0/8" },
	    { "cert:a.b", "cert:a.b" },
	    { "cert:x", "cert:x" } } },
	{ "mirror.upstreams[].platforms[]",
	  { UPSTREAM_YAML "platforms: ['%s']}]}",
	    UPSTREAM_ENV "NAME=docker.io " UPSTREAM_ENV "PLATFORMS_0=%s",
	    "--upstream=docker.io --mirror.upstreams.0.platforms.0=%s" },
	  platform, NULL,
	  { { "linux/amd64", "linux/amd64" },
	    { "linux/arm/v7", "linux/arm/v7" },
	    { "a/b", "a/b" } } },

	{ "cluster.etcd",
	  { "cluster: {etcd: '%s'}", ENV "CLUSTER_ETCD=%s", "--etcd=%s" },
	  etcd, NULL,
	  { { "http://a:1,http://b", "http://a:1" },
	    { "https://b/", "https://b" },
	    { "http://[::1]:2379", "http://[::1]:2379" } } },
	{ "cluster.etcd[]",
	  { "cluster: {etcd: ['%s']}", ENV "CLUSTER_ETCD_0=%s",
	    "--cluster.etcd.0=%s" },
	  etcd, NULL,
	  { { "http://a", "http://a" },
	    { "https://b", "https://b" },
	    { "http://c:1", "http://c:1" } } },
	{ "cluster.prefix",
	  { "cluster: {prefix: '%s'}", ENV "CLUSTER_PREFIX=%s",
	    "--cluster.prefix=%s" },
	  prefix, "/private-registry/",
	  { { "a/", "a/" }, { "", "" }, { "/b/c/", "/b/c/" } } },
	{ "cluster.ca",
	  { "cluster: {ca: %s}", ENV "CLUSTER_CA=%s", "--cluster.ca=%s" },
	  etcd_ca, NULL, DEVICES },
	{ "cluster.client_certificate",
	  { "cluster: {client_key: /dev/null, client_certificate: %s}",
	    ENV "CLUSTER_CLIENT_KEY=/dev/null "
	    ENV "CLUSTER_CLIENT_CERTIFICATE=%s",
	    "--cluster.client_key=/dev/null "
	    "--cluster.client_certificate=%s" },
	  etcd_certificate, NULL, DEVICES },
	{ "cluster.client_key",
	  { "cluster: {client_certificate: /dev/null, client_key: %s}",
	    ENV "CLUSTER_CLIENT_CERTIFICATE=/dev/null "
	    ENV "CLUSTER_CLIENT_KEY=%s",
	    "--cluster.client_certificate=/dev/null "
	    "--cluster.client_key=%s" },
	  etcd_key, NULL, DEVICES },
	{ "cluster.username",
	  { "cluster: {password_file: /dev/null, username: %s}",
	    ENV "CLUSTER_PASSWORD_FILE=/dev/null " ENV "CLUSTER_USERNAME=%s",
	    "--cluster.password_file=/dev/null --cluster.username=%s" },
	  etcd_username, NULL,
	  { { "a", "a" }, { "b", "b" }, { "c", "c" } } },
	{ "cluster.password_file",
	  { "cluster: {username: u, password_file: %s}",
	    ENV "CLUSTER_USERNAME=u " ENV "CLUSTER_PASSWORD_FILE=%s",
	    "--cluster.username=u --cluster.password_file=%s" },
	  etcd_password_file, NULL, DEVICES },
	{ "cluster.lease",
	  { "cluster: {lease: %s}", ENV "CLUSTER_LEASE=%s",
	    "--cluster.lease=%s" },
	  lease, "15000",
	  { { "2s", "2000" }, { "1h", "3600000" }, { "5000ms", "5000" } } },
	{ "cluster.zone",
	  { "cluster: {zone: %s}", ENV "CLUSTER_ZONE=%s", "--cluster.zone=%s" },
	  zone, NULL,
	  { { "a", "a" }, { "rack-1", "rack-1" }, { "B.2_c", "B.2_c" } } },
	{ "cluster.weight",
	  { "cluster: {weight: %s}", ENV "CLUSTER_WEIGHT=%s",
	    "--cluster.weight=%s" },
	  weight, "100",
	  { { "1", "1" }, { "2", "2" }, { "10000", "10000" } } },
	{ "cluster.advertise",
	  { "cluster: {advertise: '%s'}", ENV "CLUSTER_ADVERTISE=%s",
	    "--cluster.advertise=%s" },
	  advertised, NULL,
	  { { "http://a,http://b=docker.io", "http://a" },
	    { "https://b:1", "https://b:1" },
	    { "http://[::1]:5", "http://[::1]:5" } } },
	{ "cluster.advertise[].url",
	  { "cluster: {advertise: [{url: '%s'}]}",
	    ENV "CLUSTER_ADVERTISE_0_URL=%s", "--cluster.advertise.0.url=%s" },
	  advertised, NULL,
	  { { "http://a", "http://a" },
	    { "https://b", "https://b" },
	    { "http://c:1", "http://c:1" } } },
	{ "cluster.advertise[].upstream",
	  { "cluster: {advertise: [{url: 'http://a', upstream: %s}]}",
	    ENV "CLUSTER_ADVERTISE=http://a "
	    ENV "CLUSTER_ADVERTISE_0_UPSTREAM=%s",
	    "--upstream=a.b,c.d --cluster.advertise=http://a "
	    "--cluster.advertise.0.upstream=%s" },
	  advertised_upstream, NULL,
	  { { "docker.io", "docker.io" },
	    { "docker.io", "docker.io" },
	    { "c.d", "c.d" } } },
	{ "cluster.advertise_ca",
	  { "cluster: {advertise_ca: %s}", ENV "CLUSTER_ADVERTISE_CA=%s",
	    "--cluster.advertise_ca=%s" },
	  advertised_ca, NULL, DEVICES },

	{ "agent.registry",
	  { "agent: {registry: '%s'}", ENV "AGENT_REGISTRY=%s",
	    "--registry=%s" },
	  agent_registry, NULL,
	  { { "http://a:1", "http://a:1" },
	    { "https://b", "https://b" },
	    { "http://[::1]:5", "http://[::1]:5" } } },
	{ "agent.hub",
	  { "agent: {hub: '%s', registry: 'http://a'}",
	    ENV "AGENT_HUB=%s " ENV "AGENT_REGISTRY=http://a",
	    "--hub=%s --registry=http://a" },
	  agent_hub, NULL,
	  { { "http://a:1", "http://a:1" },
	    { "https://b", "https://b" },
	    { "http://[::1]:5", "http://[::1]:5" } } },
	{ "agent.srv",
	  { "agent: {srv: '%s'}", ENV "AGENT_SRV=%s", "--srv=%s" },
	  agent_srv, NULL,
	  { { "http://_a._tcp.b", "http://_a._tcp.b" },
	    { "https://b", "https://b" },
	    { "http://c", "http://c" } } },
	{ "agent.ca",
	  { "agent: {ca: %s}", ENV "AGENT_CA=%s", "--ca=%s" },
	  agent_ca, NULL, DEVICES },
	{ "agent.canary",
	  { "agent: {canary: %s}", ENV "AGENT_CANARY=%s", "--agent.canary=%s" },
	  agent_canary, NULL,
	  { { "busybox", "busybox" },
	    { "a.b/c:1", "a.b/c:1" },
	    { "d:2", "d:2" } } },
	{ "agent.hook",
	  { "agent: {hook: %s}", ENV "AGENT_HOOK=%s", "--agent.hook=%s" },
	  agent_hook, NULL, DEVICES },
	{ "agent.name",
	  { "agent: {name: %s}", ENV "AGENT_NAME=%s", "--agent.name=%s" },
	  agent_name, NULL,
	  { { "a", "a" }, { "web-1", "web-1" }, { "B.2_c", "B.2_c" } } },
	{ "agent.root",
	  { "agent: {root: %s}", ENV "AGENT_ROOT=%s", "--root=%s" },
	  agent_root, "/",
	  { { "/host", "/host" }, { "env", "env" }, { "./flag", "./flag" } } },
};
/* clang-format on */

static void every_key_is_in_this_test(void **state)
{
	(void)state;
	assert_int_equal(array_size(rows), key_count);
	for (size_t i = 0; i < key_count; i++)
		assert_string_equal(rows[i].key, keys[i].name);
}

static void expect(const struct row *row, struct written written,
		   const char *value)
{
	auto_of(config) struct config *config = loaded(written);
	const char *read = row->read(config);

	if (!read != !value || (value && strcmp(read, value) != 0))
		fail_msg("%s is %s instead of %s", row->key, read, value);
}

static void each_place_outweighs_the_one_below(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		const struct row *row = &rows[i];
		auto_free char *file =
			fill(row->written.file, row->values[0][0]);
		auto_free char *env = fill(row->written.env, row->values[1][0]);
		auto_free char *flags =
			fill(row->written.flags, row->values[2][0]);
		struct written written = { 0 };

		expect(row, written, row->initial);
		written.file = file;
		expect(row, written, row->values[0][1]);
		written.env = env;
		expect(row, written, row->values[1][1]);
		written.flags = flags;
		expect(row, written, row->values[2][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_in_this_test),
		cmocka_unit_test(each_place_outweighs_the_one_below),
	};

	return cmocka_run_group_tests(tests, config_enter, config_leave);
}
