/*
 * client/pem.h: whether a file may hold what it should, before it is needed.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

enum pem { PEM_CERTIFICATE, PEM_KEY };

/* Without a file (null) there is nothing wrong. ERR_USAGE. */
int pem_check(const char *path, enum pem, struct err *) may_wait must_check;
