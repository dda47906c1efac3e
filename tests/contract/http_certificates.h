/*
 * http_certificates.h: certificates of a day's work, for http_lab.h.
 */
#pragma once

struct issuer;

/*
 * Writes the PEM files `certificate` and `key` (null: it is not written),
 * over what is there. `names` as OpenSSL takes them, "DNS:a.test,DNS:*.b.test",
 * or null. By `issuer`, or self-signed, and then of an authority.
 */
struct subject {
	const char *name; /* its CN */
	const char *names;
	const struct issuer *issuer;
};
void certificate_write(const struct subject *, const char *certificate,
		       const char *key);

/* An authority, and its certificate as a PEM file. */
struct issuer *issuer_open(const char *name, const char *certificate);
void issuer_close(struct issuer **);
