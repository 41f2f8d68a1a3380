/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dictionary is one hash table over (tag bits, mask of wildcards). A pattern is looked up like
 * an exact tag, once for each of the at most 14 masks in use, so a lookup costs the same however
 * many patterns there are, and one probe in the usual case of an exact entry.
 */
#include "server/tagdict/tagdict.h"

#include "common/arena.h"
#include "common/limits.h"
#include "common/strbuf.h"
#include "common/utf8.h"
#include "server/embedded.h"
#include "server/tagdict/pattern.h"

#include <string.h>

/* Chosen: 25 times the largest list known, which has 4,900 entries. */
#define ENTRIES_MAX 131072u

enum rank { RANK_BUILTIN, RANK_IMPORTED, RANK_COUNT };

static const char *const sources[RANK_COUNT] = {"builtin", "imported"};
static const char *const look_at_words[] = {"process", "driver", "cache", "both", "limits"};
static const char *const pool_words[] = {"nonpaged", "paged", "both"};

/* All masks, most literal bytes first; among equals the one with the longer literal beginning. */
static const unsigned char mask_order[] = {8, 4, 2, 1, 12, 10, 6, 9, 5, 3, 14, 13, 11, 7};

struct slot {
    uint32_t tag;
    unsigned char any;
    struct tagdict_entry *by[RANK_COUNT]; /* both NULL: empty slot */
};

struct tagdict {
    struct arena arena;
    struct tagdict_entry **entries;
    size_t count;
    size_t capacity;
    struct slot *slots;
    size_t slot_count; /* a power of two, at least twice the entries */
    unsigned masks;    /* bit m: a pattern with mask m is there */
};

struct tagdict *tagdict_new(void)
{
    return calloc(1, sizeof(struct tagdict));
}

void tagdict_free(struct tagdict *dict)
{
    if (dict == NULL)
        return;
    arena_done(&dict->arena);
    free(dict->entries);
    free(dict->slots);
    free(dict);
}

size_t tagdict_count(const struct tagdict *dict)
{
    return dict->count;
}

const struct tagdict_entry *tagdict_at(const struct tagdict *dict, size_t index)
{
    return index < dict->count ? dict->entries[index] : NULL;
}

/* ---- the table -------------------------------------------------------------- */

/* The slot of a pattern, or the empty one where it belongs. */
static struct slot *slot_of(struct slot *slots, size_t slot_count, uint32_t tag, unsigned char any)
{
    uint64_t key = (tag | (uint64_t)any << 32) * 0x9e3779b97f4a7c15ull;
    size_t at = (size_t)(key >> 32) & (slot_count - 1);
    while ((slots[at].by[0] != NULL || slots[at].by[1] != NULL) &&
           (slots[at].tag != tag || slots[at].any != any))
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

/* Room for one more entry in the list and in the table. */
static bool make_room(struct tagdict *dict)
{
    if (dict->count == dict->capacity) {
        size_t capacity = dict->capacity == 0 ? 256 : dict->capacity * 2;
        struct tagdict_entry **entries = realloc(dict->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return false;
        dict->entries = entries;
        dict->capacity = capacity;
    }
    if (dict->slot_count >= (dict->count + 1) * 2)
        return true;
    size_t slot_count = dict->slot_count == 0 ? 512 : dict->slot_count * 2;
    struct slot *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < dict->slot_count; i++) {
        const struct slot *old = &dict->slots[i];
        if (old->by[0] != NULL || old->by[1] != NULL)
            *slot_of(slots, slot_count, old->tag, old->any) = *old;
    }
    free(dict->slots);
    dict->slots = slots;
    dict->slot_count = slot_count;
    return true;
}

/* ---- texts ------------------------------------------------------------------ */

/* Makes a text from outside fit to be stored and shown: valid UTF-8 of one line, without blanks at
 * its ends, cut between characters. An empty one becomes NULL, which is unknown. */
static enum status copy_text(struct tagdict *dict, const char *text, const char **ret_copy)
{
    AUTO_STRBUF struct strbuf clean = STRBUF_INIT;
    size_t length = text == NULL ? 0 : strlen(text);
    for (size_t i = 0; i < length;) {
        size_t used = utf8_sequence(text + i, length - i);
        bool control = (unsigned char)text[i] < 0x20 || text[i] == 0x7f;
        size_t size = used == 0 ? 3 : used;
        if (clean.length + size > LIMIT_TEXT_BYTES)
            break;
        if (control || text[i] == ' ') {
            if (clean.length > 0)
                strbuf_putc(&clean, ' ');
        } else if (used == 0) {
            strbuf_add(&clean, "\xef\xbf\xbd", 3);
        } else {
            strbuf_add(&clean, text + i, used);
        }
        i += used == 0 ? 1 : used;
    }
    while (clean.length > 0 && clean.data[clean.length - 1] == ' ')
        clean.length--;
    if (strbuf_failed(&clean))
        return ST_NOMEM;
    *ret_copy = clean.length == 0 ? NULL : arena_strndup(&dict->arena, clean.data, clean.length);
    return clean.length > 0 && *ret_copy == NULL ? ST_NOMEM : ST_OK;
}

/* Whether `item` is one of the items of `list`. */
static bool has_item(const char *list, const char *item, const char *separator)
{
    size_t length = strlen(item);
    size_t gap = strlen(separator);
    for (const char *at = list;;) {
        const char *end = strstr(at, separator);
        size_t size = end == NULL ? strlen(at) : (size_t)(end - at);
        if (size == length && memcmp(at, item, length) == 0)
            return true;
        if (end == NULL)
            return false;
        at = end + gap;
    }
}

/* Appends a further owner's text to a list, unless it is there or the list is long enough. */
static enum status add_item(struct tagdict *dict, const char **list, const char *item,
                            const char *separator)
{
    if (item == NULL || (*list != NULL && has_item(*list, item, separator)))
        return ST_OK;
    if (*list == NULL) {
        *list = item;
        return ST_OK;
    }
    size_t length = strlen(*list) + strlen(separator) + strlen(item);
    if (length > LIMIT_TEXT_BYTES)
        return ST_OK;
    AUTO_STRBUF struct strbuf both = STRBUF_INIT;
    strbuf_puts(&both, *list);
    strbuf_puts(&both, separator);
    strbuf_puts(&both, item);
    char *copy = strbuf_failed(&both) ? NULL : arena_strdup(&dict->arena, both.data);
    if (copy == NULL)
        return ST_NOMEM;
    *list = copy;
    return ST_OK;
}

/* The word of a closed list that equals `word`; NULL stays NULL. False: not in the list. */
static bool find_word(const char *const *words, size_t count, const char *word,
                      const char **ret_word)
{
    if (word == NULL) {
        *ret_word = NULL;
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            *ret_word = words[i];
            return true;
        }
    }
    return false;
}

#define FIND_WORD(words, word, ret_word)                                                           \
    find_word((words), sizeof(words) / sizeof *(words), (word), (ret_word))

/* ---- lookup ----------------------------------------------------------------- */

static const struct slot *probe(const struct tagdict *dict, uint32_t tag, unsigned char any)
{
    return slot_of(dict->slots, dict->slot_count, tag & pattern_mask(any), any);
}

static const struct tagdict_entry *best_of(const struct slot *slot, enum rank most)
{
    if (most == RANK_IMPORTED && slot->by[RANK_IMPORTED] != NULL)
        return slot->by[RANK_IMPORTED];
    return slot->by[RANK_BUILTIN];
}

/* The best entry that comes from `most` or a lower rank. */
static const struct tagdict_entry *find_up_to(const struct tagdict *dict, uint32_t tag,
                                              enum rank most)
{
    if (dict->slot_count == 0)
        return NULL;
    const struct tagdict_entry *best = best_of(probe(dict, tag, 0), most);
    int literals = best == NULL ? 0 : 4;
    for (size_t i = 0; dict->masks != 0 && i < sizeof mask_order; i++) {
        unsigned char any = mask_order[i];
        int here = 4 - __builtin_popcount(any);
        if (here < literals)
            break;
        if ((dict->masks >> any & 1) == 0)
            continue;
        const struct tagdict_entry *found = best_of(probe(dict, tag, any), most);
        if (found == NULL || (best != NULL && (found->source == sources[RANK_BUILTIN] ||
                                               best->source == sources[RANK_IMPORTED])))
            continue;
        best = found;
        literals = here;
    }
    return best;
}

const struct tagdict_entry *tagdict_find(const struct tagdict *dict, uint32_t tag)
{
    return find_up_to(dict, tag & ~TAG_PROTECTED, RANK_IMPORTED);
}

/* ---- adding ----------------------------------------------------------------- */

/* Imported lists say neither pool nor what to look at, and often no owner: what the built-in list
 * knows of the same tag fills the gaps. */
static void inherit(const struct tagdict *dict, struct tagdict_entry *entry)
{
    const struct tagdict_entry *same =
        slot_of(dict->slots, dict->slot_count, entry->tag, entry->any)->by[RANK_BUILTIN];
    if (same != NULL) {
        entry->driver = entry->driver == NULL ? same->driver : entry->driver;
        entry->description = entry->description == NULL ? same->description : entry->description;
    }
    if (same == NULL && entry->any == 0)
        same = find_up_to(dict, entry->tag, RANK_BUILTIN);
    if (same != NULL) {
        entry->look_at = entry->look_at == NULL ? same->look_at : entry->look_at;
        entry->pool = entry->pool == NULL ? same->pool : entry->pool;
    }
}

static enum status merge(struct tagdict *dict, struct tagdict_entry *entry,
                         const struct tagdict_entry *more)
{
    enum status status = add_item(dict, &entry->driver, more->driver, " or ");
    if (status == ST_OK)
        status = add_item(dict, &entry->description, more->description, "; ");
    entry->look_at = entry->look_at == NULL ? more->look_at : entry->look_at;
    entry->pool = entry->pool == NULL ? more->pool : entry->pool;
    return status;
}

/* Checks an entry from outside and copies its texts into the arena. */
static enum status take_entry(struct tagdict *dict, const struct tagdict_entry *entry,
                              struct tagdict_entry *ret_entry, struct err *err)
{
    struct tagdict_entry taken = {.any = entry->any & 15u};
    taken.tag = entry->tag & pattern_mask(taken.any) & ~TAG_PROTECTED;
    if (entry->pattern != NULL &&
        !pattern_parse(entry->pattern, strlen(entry->pattern), &taken.tag, &taken.any))
        return err_field(err, ST_INVALID, "pattern", "could not read tag pattern \"%.40s\"",
                         entry->pattern);
    if (taken.any == 15)
        return err_field(err, ST_INVALID, "pattern",
                         "could not add tag pattern: it matches every tag");
    if (!FIND_WORD(sources, entry->source == NULL ? sources[RANK_IMPORTED] : entry->source,
                   &taken.source))
        return err_field(err, ST_INVALID, "source", "could not add tag: unknown source \"%.40s\"",
                         entry->source);
    if (!FIND_WORD(look_at_words, entry->look_at, &taken.look_at))
        return err_field(err, ST_INVALID, "look_at", "could not add tag: unknown word \"%.40s\"",
                         entry->look_at);
    if (!FIND_WORD(pool_words, entry->pool, &taken.pool))
        return err_field(err, ST_INVALID, "pool", "could not add tag: unknown pool \"%.40s\"",
                         entry->pool);
    if (copy_text(dict, entry->driver, &taken.driver) != ST_OK ||
        copy_text(dict, entry->description, &taken.description) != ST_OK)
        return err_set(err, ST_NOMEM, "could not add tag: out of memory");
    *ret_entry = taken;
    return ST_OK;
}

/* Puts a new entry into its empty place. NULL when memory is out. */
static struct tagdict_entry *keep_entry(struct tagdict *dict, struct slot *slot, enum rank rank,
                                        const struct tagdict_entry *entry)
{
    char pattern[TAG_TEXT_MAX];
    struct tagdict_entry *kept = arena_alloc(&dict->arena, 1, sizeof *kept);
    pattern_format(entry->tag, entry->any, pattern);
    const char *copy = arena_strdup(&dict->arena, pattern);
    if (kept == NULL || copy == NULL)
        return NULL;
    *kept = *entry;
    kept->pattern = copy;
    slot->tag = entry->tag;
    slot->any = entry->any;
    slot->by[rank] = kept;
    dict->entries[dict->count++] = kept;
    dict->masks |= entry->any == 0 ? 0 : 1u << entry->any;
    return kept;
}

enum status tagdict_add(struct tagdict *dict, const struct tagdict_entry *entry, struct err *err)
{
    struct tagdict_entry taken;
    if (dict->count >= ENTRIES_MAX)
        return err_set(err, ST_TOO_LARGE, "could not add tag: the list holds %u entries",
                       ENTRIES_MAX);
    enum status status = take_entry(dict, entry, &taken, err);
    if (status != ST_OK)
        return status;
    if (!make_room(dict))
        return err_set(err, ST_NOMEM, "could not add tag: out of memory");

    enum rank rank = taken.source == sources[RANK_BUILTIN] ? RANK_BUILTIN : RANK_IMPORTED;
    struct slot *slot = slot_of(dict->slots, dict->slot_count, taken.tag, taken.any);
    struct tagdict_entry *kept = slot->by[rank];
    if (kept == NULL) {
        kept = keep_entry(dict, slot, rank, &taken);
        status = kept == NULL ? ST_NOMEM : ST_OK;
    } else {
        status = merge(dict, kept, &taken);
    }
    if (status != ST_OK)
        return err_set(err, status, "could not add tag: out of memory");
    if (rank == RANK_IMPORTED)
        inherit(dict, kept);
    return ST_OK;
}

/* ---- the built-in list ------------------------------------------------------ */

enum column { COLUMN_PATTERN, COLUMN_POOL, COLUMN_DRIVER, COLUMN_LOOK_AT, COLUMN_TEXT, COLUMN_END };

/* Cuts a line at its tabs, in place. `-` is unknown. False: not five columns. */
static bool cut_columns(char *line, const char *ret_columns[COLUMN_END])
{
    for (unsigned i = 0; i < COLUMN_END; i++) {
        char *tab = strchr(line, '\t');
        if ((tab == NULL) != (i == COLUMN_END - 1))
            return false;
        if (tab != NULL)
            *tab = '\0';
        ret_columns[i] = strcmp(line, "-") == 0 ? NULL : line;
        line = tab == NULL ? line : tab + 1;
    }
    return true;
}

static enum status add_line(struct tagdict *dict, char *line, size_t number, struct err *err)
{
    const char *column[COLUMN_END];
    if (!cut_columns(line, column) || column[COLUMN_PATTERN] == NULL)
        return err_set(err, ST_BUG, "could not read line %zu of the built-in tag list", number);
    struct tagdict_entry entry = {.pattern = column[COLUMN_PATTERN],
                                  .pool = column[COLUMN_POOL],
                                  .driver = column[COLUMN_DRIVER],
                                  .look_at = column[COLUMN_LOOK_AT],
                                  .description = column[COLUMN_TEXT],
                                  .source = sources[RANK_BUILTIN]};
    struct err why;
    enum status status = tagdict_add(dict, &entry, &why);
    if (status == ST_OK || status == ST_NOMEM)
        return status == ST_OK ? ST_OK : err_set(err, status, "%s", why.message);
    return err_set(err, ST_BUG, "could not read line %zu of the built-in tag list: %s", number,
                   why.message);
}

enum status tagdict_add_builtin(struct tagdict *dict, struct err *err)
{
    const struct embedded_file *file = embedded_find(embedded_schema, "pooltags.tsv");
    if (file == NULL)
        return err_set(err, ST_BUG, "could not find the built-in tag list");
    AUTO_FREE char *text = malloc(embedded_size(file) + 1);
    if (text == NULL)
        return err_set(err, ST_NOMEM, "could not read the built-in tag list: out of memory");
    memcpy(text, file->data, embedded_size(file));
    text[embedded_size(file)] = '\0';

    bool header = true;
    size_t number = 0;
    for (char *line = text; line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        number++;
        if (line[0] != '#' && line[0] != '\0') {
            enum status status = header ? ST_OK : add_line(dict, line, number, err);
            if (status != ST_OK)
                return status;
            header = false;
        }
        line = end == NULL ? NULL : end + 1;
    }
    /* Lists that were imported before learn from it as well. */
    for (size_t i = 0; i < dict->count; i++) {
        if (dict->entries[i]->source == sources[RANK_IMPORTED])
            inherit(dict, dict->entries[i]);
    }
    return ST_OK;
}
