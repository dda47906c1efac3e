/*
 * Keys are of P-256, since making one takes no time.
 */
#include "http_certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/mem.h"
#include "http_lab.h"

struct issuer {
	X509 *certificate;
	EVP_PKEY *key;
};

static FILE *create(const char *path)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	return out;
}

static void write_certificate(const char *path, X509 *certificate)
{
	FILE *out = create(path);

	assert_int_equal(PEM_write_X509(out, certificate), 1);
	fclose(out);
}

static void write_key(const char *path, EVP_PKEY *key)
{
	FILE *out = create(path);

	assert_int_equal(
		PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(out);
}

static void extend(X509 *certificate, int what, const char *value)
{
	X509_EXTENSION *extension =
		X509V3_EXT_conf_nid(NULL, NULL, what, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static X509 *make(const struct subject *subject, EVP_PKEY *key)
{
	static long serial;
	const struct issuer *issuer = subject->issuer;
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const void *)subject->name, -1, -1, 0);
	X509_set_issuer_name(
		certificate,
		issuer ? X509_get_subject_name(issuer->certificate) : name);
	X509_set_pubkey(certificate, key);
	if (!issuer)
		extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
	if (subject->names)
		extend(certificate, NID_subject_alt_name, subject->names);
	assert_true(X509_sign(certificate, issuer ? issuer->key : key,
			      EVP_sha256()) > 0);
	return certificate;
}

void certificate_write(const struct subject *subject, const char *certificate,
		       const char *key)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	X509 *made = make(subject, pair);

	write_certificate(certificate, made);
	if (key)
		write_key(key, pair);
	X509_free(made);
	EVP_PKEY_free(pair);
}

struct issuer *issuer_open(const char *name, const char *certificate)
{
	struct issuer *issuer = mem_alloc(sizeof(*issuer));

	issuer->key = EVP_EC_gen("P-256");
	issuer->certificate =
		make(&(struct subject){ .name = name }, issuer->key);
	write_certificate(certificate, issuer->certificate);
	return issuer;
}

void issuer_close(struct issuer **pointer)
{
	struct issuer *issuer = steal_ptr(pointer);

	X509_free(issuer->certificate);
	EVP_PKEY_free(issuer->key);
	free(issuer);
}
