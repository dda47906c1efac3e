/*
 * agent/report.h: lines for people, of agent/agent.h's reports.
 */
#pragma once
#include "agent/agent.h"

/* "containerd: wrote /etc/…" */
void report_line(struct agent_report *, const char *who, const char *what,
		 const char *format, ...) printf_like(4, 5);
/* "containerd: failed …", or "conflict", and counts it as such. */
void report_trouble(struct agent_report *, const char *who, const struct err *);
/* The same, of what was so before. */
void report_keeps(struct agent_report *, const char *who, const char *path,
		  int64_t since_s);

/* Adds what changes, as diff -u would print it; SPAN_NONE: no file. */
void report_diff(struct agent_report *, const char *path, struct span before,
		 struct span after);
