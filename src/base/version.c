#include "base/version.h"

/* Meson says it; whoever reads sources alone need not. */
#ifndef VERSION
#define VERSION "unknown"
#endif

const char program_text[] = "private-registry " VERSION;
const char program_agent[] = "private-registry/" VERSION;
