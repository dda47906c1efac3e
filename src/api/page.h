/*
 * api/page.h: lists of names, page by page. distribution-spec, "Listing Tags".
 */
#pragma once
#include "api/call.h"

/*
 * Which page is asked for: `n` names (1,000 without it and at most) behind
 * `last`, which need not exist. ERR_REQUEST if `n` is no number.
 */
int page_asked(struct call *, struct meta_page *out, struct err *) must_check;

/* A Link to what comes behind `last`: the same question, but for that. */
void page_link(struct call *, const char *last);

/* {<opening>[…]}, and a Link if there is more. */
void page_answer(struct call *, const char *opening, const struct meta_page *);

/* The page that was asked for, out of sorted lines. */
void page_fill(struct meta_page *, struct span lines);

/*
 * A list of what is cached of an upstream is not all that it has: says so,
 * and why (or null).
 */
void page_warn(struct call *, const char *upstream, const struct err *why);
