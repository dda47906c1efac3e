/*
 * base/version.h: which program this is.
 */
#pragma once

extern const char program_text[];  /* "private-registry 0.1.0" */
extern const char program_agent[]; /* "private-registry/0.1.0" */
