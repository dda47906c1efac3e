/*
 * An entry is lines of text, an empty line, and the bytes that were there:
 *
 *	private-registry journal 1 <sha256 of all that follows this line>
 *	path /etc/environment
 *	kind environment
 *	engine environment
 *	since 1790000000
 *	was 1 0644 0 0 0
 *	ours <sha256> <element>
 *	ours <sha256> <element>
 *
 *	LANG=C
 *
 * Its name is made of the path's digest. It is written beside its place and
 * renamed, so it is there whole or not at all.
 */
#include "agent/journal.h"
#include "agent/kind.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/thread.h"
#include "oci/hash.h"

#define HEAD "private-registry journal 1 "
#define NEW ".new"
#define DAMAGED ".damaged"
enum { ENTRY_MOST = HOST_FILE_MOST + 8192 };

struct journal {
	int dir; /* -1: there is none */
	char *path;
	enum journal_use use;
	struct entry **entries;
	size_t count;
};

struct entry *entry_make(const char *path, const char *kind, const char *engine)
{
	struct entry *entry = mem_alloc(sizeof(*entry));

	entry->path = mem_text(path);
	entry->kind = mem_text(kind);
	entry->engine = mem_text(engine);
	for (size_t i = 0; i < array_size(entry->elements); i++)
		entry->elements[i] = mem_text("");
	return entry;
}

void entry_free(struct entry **pointer)
{
	struct entry *entry = steal_ptr(pointer);

	free(entry->path);
	free(entry->kind);
	free(entry->engine);
	for (size_t i = 0; i < array_size(entry->elements); i++)
		free(entry->elements[i]);
	buf_free(&entry->original);
	free(entry);
}

bool entry_is_directory(const struct entry *entry)
{
	return strcmp(entry->kind, ENTRY_DIRECTORY) == 0;
}

bool entry_is_ours(const struct entry *entry, struct span text)
{
	struct digest digest = hash_of(DIGEST_SHA256, text);

	return digest_eq(&digest, &entry->ours[0]) ||
	       digest_eq(&digest, &entry->ours[1]);
}

static void words_add(struct span element, struct span other, struct buf *out)
{
	while (element.len > 0) {
		struct span word = span_cut(&element, ' ');

		if (!kind_element_has(other, word) &&
		    !kind_element_has(buf_span(out), word))
			buf_addf(out, "%s%.*s", out->len ? " " : "",
				 SPAN_ARG(word));
	}
}

void entry_words(const struct entry *entry, struct span other, struct buf *out)
{
	for (size_t i = 0; i < array_size(entry->elements); i++)
		words_add(span_of(entry->elements[i]), other, out);
}

struct entry_name {
	char s[48];
};

static struct entry_name entry_name(const char *path)
{
	struct digest digest = hash_of(DIGEST_SHA256, span_of(path));
	struct entry_name name;

	hex_print(digest.bytes, 16, name.s);
	return name;
}

/* ------------------------------------------------------------------- bytes */

static void entry_print(const struct entry *entry, struct buf *out)
{
	auto_buf struct buf body = { 0 };

	buf_addf(&body, "path %s\nkind %s\nengine %s\nsince %lld\n",
		 entry->path, entry->kind, entry->engine,
		 (long long)entry->since);
	buf_addf(&body, "was %d 0%o %u %u %d\n", entry->existed, entry->mode,
		 entry->uid, entry->gid, entry->apart);
	for (size_t i = 0; i < array_size(entry->ours); i++)
		buf_addf(&body, "ours %s %s\n", digest_hex(&entry->ours[i]).s,
			 entry->elements[i]);
	buf_addf(&body, "\n");
	buf_add(&body, buf_span(&entry->original));
	struct digest digest = hash_of(DIGEST_SHA256, buf_span(&body));
	buf_addf(out, HEAD "%s\n", digest_hex(&digest).s);
	buf_add(out, buf_span(&body));
}

/* The rest of a line that begins with `word`. */
static bool line_cut(struct span *rest, const char *word, struct span *out)
{
	*out = span_cut(rest, '\n');
	if (!rest->at || !span_starts(*out, word))
		return false;
	*out = span_from(*out, strlen(word));
	return true;
}

static bool was_parse(struct span text, struct entry *entry)
{
	char line[64];
	int existed, apart = 0; /* which older ones do not have */

	if (!span_copy(text, line, sizeof(line)) ||
	    sscanf(line, "%d 0%o %u %u %d", &existed, &entry->mode, &entry->uid,
		   &entry->gid, &apart) < 4)
		return false;
	entry->existed = existed;
	entry->apart = apart;
	return true;
}

static char *text_of(struct span span)
{
	char *text = mem_alloc(span.len + 1);

	memcpy(text, span.at, span.len);
	return text;
}

/* Older entries have no such line. */
static char *engine_parse(struct span *rest)
{
	struct span after = *rest, engine;

	if (!line_cut(&after, "engine ", &engine))
		return mem_text("");
	*rest = after;
	return text_of(engine);
}

static bool ours_parse(struct span *rest, struct entry *entry)
{
	for (size_t i = 0; i < array_size(entry->ours); i++) {
		struct span element;

		if (!line_cut(rest, "ours ", &element) ||
		    !hex_parse(span_cut(&element, ' '), entry->ours[i].bytes,
			       32) ||
		    !element.at)
			return false;
		entry->elements[i] = text_of(element);
	}
	return true;
}

static bool body_parse(struct span rest, struct entry *entry)
{
	struct span path, kind, since, was, empty;

	if (!line_cut(&rest, "path /", &path) ||
	    !line_cut(&rest, "kind ", &kind))
		return false;
	entry->engine = engine_parse(&rest);
	if (!line_cut(&rest, "since ", &since) ||
	    !line_cut(&rest, "was ", &was) || !was_parse(was, entry) ||
	    !ours_parse(&rest, entry) || !line_cut(&rest, "", &empty) ||
	    empty.len)
		return false;
	entry->path = text_of(span_make(path.at - 1, path.len + 1));
	entry->kind = text_of(kind);
	entry->since = span_decimal(since);
	buf_add(&entry->original, rest);
	return true;
}

static struct entry *entry_parse(struct span text)
{
	auto_of(entry) struct entry *entry = mem_alloc(sizeof(*entry));
	struct span sum;
	uint8_t wanted[32];

	if (!line_cut(&text, HEAD, &sum) ||
	    !hex_parse(sum, wanted, sizeof(wanted)))
		return NULL;
	struct digest digest = hash_of(DIGEST_SHA256, text);
	if (memcmp(digest.bytes, wanted, sizeof(wanted)) != 0 ||
	    !body_parse(text, entry))
		return NULL;
	return steal_ptr(&entry);
}

/* -------------------------------------------------------------------- list */

static int longest_first(const void *a, const void *b)
{
	const struct entry *const *one = a, *const *other = b;
	size_t x = strlen((*one)->path), y = strlen((*other)->path);

	if (x != y)
		return x < y ? 1 : -1;
	return strcmp((*one)->path, (*other)->path);
}

static void entry_add(struct journal *journal, struct entry *entry)
{
	journal->entries =
		mem_grow(journal->entries,
			 (journal->count + 1) * sizeof(*journal->entries));
	journal->entries[journal->count++] = entry;
	qsort(journal->entries, journal->count, sizeof(*journal->entries),
	      longest_first);
}

static void entry_forget(struct journal *journal, const struct entry *entry)
{
	size_t i = 0;

	while (journal->entries[i] != entry)
		i++;
	entry_free(&journal->entries[i]);
	memmove(&journal->entries[i], &journal->entries[i + 1],
		(--journal->count - i) * sizeof(*journal->entries));
}

size_t journal_count(const struct journal *journal)
{
	return journal->count;
}

const struct entry *journal_at(const struct journal *journal, size_t index)
{
	return journal->entries[index];
}

const struct entry *journal_find(const struct journal *journal,
				 const char *path)
{
	for (size_t i = 0; i < journal->count; i++)
		if (strcmp(journal->entries[i]->path, path) == 0)
			return journal->entries[i];
	return NULL;
}

/* -------------------------------------------------------------------- disk */

static int set_aside(struct journal *journal, const char *name,
		     struct buf *damage, struct err *e)
{
	char aside[NAME_MAX + 1];

	snprintf(aside, sizeof(aside), "%.100s" DAMAGED, name);
	buf_addf(damage,
		 "%s/%s is damaged: the file that it was about is left as it "
		 "is\n",
		 journal->path, journal->use == JOURNAL_READ ? name : aside);
	if (journal->use == JOURNAL_READ)
		return 0;
	if (renameat(journal->dir, name, journal->dir, aside) < 0)
		return err_sys(e, "%.100s", name);
	return io_sync(journal->dir, e);
}

static int file_load(struct journal *journal, const char *name,
		     struct buf *damage, struct err *e)
{
	auto_buf struct buf text = { 0 };
	auto_buf struct buf path = { 0 };

	buf_addf(&path, "%s/%s", journal->path, name);
	if (io_read_file(path.at, ENTRY_MOST, &text, e) < 0 &&
	    e->kind != ERR_TOO_LARGE)
		return -1;
	struct entry *entry = entry_parse(buf_span(&text));
	if (!entry)
		return set_aside(journal, name, damage, e);
	entry_add(journal, entry);
	return 0;
}

static int name_load(struct journal *journal, const char *name,
		     struct buf *damage, struct err *e)
{
	struct span text = span_of(name);

	if (name[0] == '.' || span_ends(text, DAMAGED))
		return 0;
	if (!span_ends(text, NEW))
		return file_load(journal, name, damage, e);
	if (journal->use == JOURNAL_READ)
		return 0;
	return io_unlink_at(journal->dir, name, e);
}

/* 1: that was the last. */
static int next_load(struct journal *journal, DIR *list, struct buf *damage,
		     struct err *e)
{
	errno = 0;
	struct dirent *found = readdir(list);

	if (found)
		return name_load(journal, found->d_name, damage, e);
	return errno ? err_sys(e, "%.100s", journal->path) : 1;
}

static int all_load(struct journal *journal, struct buf *damage, struct err *e)
{
	DIR *list = fdopendir(dup(journal->dir));
	int end = 0;

	if (!list)
		return err_sys(e, "%.100s", journal->path);
	rewinddir(list);
	while (end == 0)
		end = next_load(journal, list, damage, e);
	closedir(list);
	return end < 0 ? -1 : 0;
}

int journal_open(const char *path, enum journal_use use, struct journal **out,
		 struct buf *damage, struct err *e)
{
	auto_of(journal) struct journal *journal = mem_alloc(sizeof(*journal));

	journal->dir = -1;
	journal->use = use;
	if (path) {
		journal->path = mem_text(path);
		journal->dir = io_open_dir(path, e);
		if (journal->dir < 0 || all_load(journal, damage, e) < 0)
			return -1;
	}
	*out = steal_ptr(&journal);
	return 0;
}

void journal_close(struct journal **pointer)
{
	struct journal *journal = steal_ptr(pointer);

	for (size_t i = 0; i < journal->count; i++)
		entry_free(&journal->entries[i]);
	free(journal->entries);
	free(journal->path);
	if (journal->dir >= 0)
		close(journal->dir);
	free(journal);
}

static int entry_write(const struct journal *journal, const struct entry *entry,
		       const char *name, struct err *e)
{
	auto_buf struct buf text = { 0 };

	entry_print(entry, &text);
	if (io_unlink_at(journal->dir, name, e) < 0)
		return -1;
	auto_fd int fd =
		io_open_at(journal->dir, name, O_WRONLY | O_CREAT | O_EXCL, e);
	if (fd < 0 || io_write_at(fd, 0, buf_span(&text), e) < 0)
		return -1;
	return io_sync(fd, e);
}

int journal_keep(struct journal *journal, struct entry **pointer, struct err *e)
{
	auto_of(entry) struct entry *entry = steal_ptr(pointer);
	struct entry_name name = entry_name(entry->path), fresh = name;
	const struct entry *before = journal_find(journal, entry->path);

	memcpy(fresh.s + strlen(fresh.s), NEW, sizeof(NEW));
	if (entry_write(journal, entry, fresh.s, e) < 0)
		return err_wrap(e, "journal");
	if (renameat(journal->dir, fresh.s, journal->dir, name.s) < 0)
		return err_sys(e, "journal: rename");
	if (io_sync(journal->dir, e) < 0)
		return err_wrap(e, "journal");
	if (before)
		entry_forget(journal, before);
	entry_add(journal, steal_ptr(&entry));
	return 0;
}

int journal_drop(struct journal *journal, const struct entry *entry,
		 struct err *e)
{
	struct entry_name name = entry_name(entry->path);

	if (io_unlink_at(journal->dir, name.s, e) < 0 ||
	    io_sync(journal->dir, e) < 0)
		return err_wrap(e, "journal");
	entry_forget(journal, entry);
	return 0;
}
