/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tags to look at, and whose they are. A driver is named by what the text itself says, then
 * by the evidence pasted beside it, then by the dictionary; else nobody is named.
 */
#include "server/diagnose/judge.h"

#include "server/diagnose/scan.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define SUSPECTS_MAX 5
#define SHARE_LEAST  0.10
#define BYTES_LEAST  (8.0 * MIB)
#define SAME_COUNT   0.03    /* counts this close mean one cause with several tags */
#define SAME_LEAST   10000.0 /* small counts are equal by chance */

/* "Etw Buffer , Binary: nt!etw", "[ntfs.sys  -  Create.c]", "ntfs.sys - FCB". */
static const char *printed_driver(struct judge *judge, const char *description)
{
    const char *at = description == NULL ? NULL : strstr(description, "Binary");
    if (at != NULL) {
        at += strlen("Binary");
        at += strspn(at, " :");
        size_t length = strcspn(at, ",;)");
        const char *text = length == 0 ? NULL : parse_text(judge->parse, at, length);
        return text == NULL || strstr(text, "unknown") != NULL ? NULL : text;
    }
    at = description == NULL ? NULL : scan_find(description, ".sys");
    if (at == NULL || scan_find(description, "UNKNOWN pooltag") != NULL)
        return NULL;
    const char *begin = at;
    while (begin > description && strchr(" [\\/(,;", begin[-1]) == NULL)
        begin--;
    return at - begin > 4 ? parse_text(judge->parse, begin, (size_t)(at - begin)) : NULL;
}

static const char *found_driver(struct judge *judge, uint32_t tag)
{
    const struct evidence *evidence = &judge->parse->evidence;
    const char *found[3] = {NULL, NULL, NULL};
    size_t count = 0;
    for (size_t i = 0; i < evidence->candidate_count; i++)
        if (evidence->candidates[i].tag == tag) {
            if (count < 3)
                found[count] = evidence->candidates[i].driver;
            count++;
        }
    if (count == 0 || count > 3)
        return NULL;
    if (count == 1)
        return found[0];
    return count == 2 ? judge_text(judge, "%s or %s", found[0], found[1])
                      : judge_text(judge, "%s, %s or %s", found[0], found[1], found[2]);
}

/* The driver framework takes the first four letters of the driver's name where the driver sets no
 * tag of its own: a tag that nobody knows and the one module with such a name belong together. */
static const char *framework_driver(struct judge *judge, uint32_t tag)
{
    const struct evidence *evidence = &judge->parse->evidence;
    unsigned char bytes[4];
    const struct module *found = NULL;
    tag_to_bytes(tag, bytes);
    for (size_t i = 0; i < 4; i++)
        if (bytes[i] <= ' ' || bytes[i] >= 0x7F)
            return NULL;
    for (size_t i = 0; i < evidence->module_count; i++) {
        const struct module *module = &evidence->modules[i];
        if (!module->loaded || strncasecmp(module->name, (const char *)bytes, 4) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = module;
    }
    if (found == NULL)
        return NULL;
    size_t length = strlen(found->name);
    bool ended = length > 4 && strcasecmp(found->name + length - 4, ".sys") == 0;
    return judge_text(judge, "%s%s", found->name, ended ? "" : ".sys");
}

const char *judge_driver(struct judge *judge, const struct diagnose_row *row)
{
    const char *driver = printed_driver(judge, row->description);
    if (driver == NULL)
        driver = found_driver(judge, row->tag);
    if (driver == NULL && judge->dict != NULL) {
        const struct tagdict_entry *entry = tagdict_find(judge->dict, row->tag);
        if (entry != NULL && entry->driver != NULL && strstr(entry->driver, "unknown") == NULL)
            driver = parse_text(judge->parse, entry->driver, strlen(entry->driver));
    }
    return driver == NULL ? framework_driver(judge, row->tag) : driver;
}

bool judge_framework(struct judge *judge, const struct diagnose_row *row)
{
    const char *framework = framework_driver(judge, row->tag);
    const char *driver = framework == NULL ? NULL : judge_driver(judge, row);
    return driver != NULL && strcmp(driver, framework) == 0;
}

static const char *why(struct judge *judge, const struct pool_facts *facts,
                       const struct diagnose_row *row, const char *extra)
{
    char size[SIZE_TEXT];
    struct strbuf text CLEANUP(strbuf_done) = STRBUF_INIT;
    double bytes = row_bytes(row);
    if (bytes > 0)
        strbuf_printf(&text, "holds %s", size_text(bytes, size));
    if (bytes > 0 && facts->row_count > 1 && facts->whole_bytes > 0)
        strbuf_printf(&text, ", %.0f %% of the pool%s", bytes / facts->whole_bytes * 100,
                      facts->whole_known ? "" : " as listed");
    if (row_blocks(row) > 0)
        strbuf_printf(&text, "%s%s blocks outstanding", text.length > 0 ? ", " : "",
                      GROUPED(row_blocks(row)));
    if (bytes > 0 && row_blocks(row) > 0)
        strbuf_printf(&text, " of %s bytes each", GROUPED(round(bytes / row_blocks(row))));
    if (row->frees == 0 && row->allocs != NUMBER_UNKNOWN && row->allocs > 1)
        strbuf_puts(&text, ", never freed");
    strbuf_puts(&text, extra);
    return strbuf_failed(&text) || text.length == 0 ? "" : judge_text(judge, "%s", text.data);
}

static void add(struct judge *judge, const struct weighed *weighed, const char *extra)
{
    struct diagnosis *out = judge->out;
    for (size_t i = 0; i < out->suspect_count; i++)
        if (out->suspects[i].tag == weighed->row->tag && out->suspects[i].pool == weighed->pool)
            return;
    if (out->suspect_count == SUSPECTS_MAX)
        return;
    out->suspects[out->suspect_count++] = (struct diagnose_suspect){
        .tag = weighed->row->tag,
        .pool = weighed->pool,
        .driver = judge_driver(judge, weighed->row),
        .framework = judge_framework(judge, weighed->row),
        .why = why(judge, &judge->facts.pool[weighed->pool], weighed->row, extra),
    };
}

static bool same_count(const struct diagnose_row *a, const struct diagnose_row *b)
{
    double x = row_blocks(a);
    double y = row_blocks(b);
    return x >= SAME_LEAST && y >= SAME_LEAST && fabs(x - y) <= x * SAME_COUNT;
}

void judge_suspects(struct judge *judge)
{
    struct diagnosis *out = judge->out;
    enum verdict verdict = out->verdict;
    if (verdict == VERDICT_NOTHING_WRONG || verdict == VERDICT_SESSION_POOL_EXHAUSTED)
        return;
    out->suspects = arena_alloc(judge->parse->arena, SUSPECTS_MAX, sizeof *out->suspects);
    if (out->suspects == NULL) {
        judge->parse->failed = true;
        return;
    }
    if (judge->leading.row != NULL)
        add(judge, &judge->leading, "");
    bool nonpaged =
        verdict == VERDICT_NONPAGED_EXHAUSTED || verdict == VERDICT_NONPAGED_LEAK_SUSPECT;
    bool paged = verdict == VERDICT_PAGED_EXHAUSTED || verdict == VERDICT_PAGED_LEAK_SUSPECT;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct pool_facts *facts = &judge->facts.pool[pool];
        bool asked = verdict == VERDICT_INSUFFICIENT_DATA || (pool == POOL_NONPAGED && nonpaged) ||
                     (pool == POOL_PAGED && paged);
        for (size_t i = 0; i < facts->row_count && i < 50; i++) {
            const struct weighed *weighed = &facts->rows[i];
            bool same = judge->leading.row != NULL && same_count(judge->leading.row, weighed->row);
            if (same)
                add(judge, weighed, ", as many blocks as the first: one cause with several tags");
            else if (asked && facts->explained && row_bytes(weighed->row) >= BYTES_LEAST &&
                     row_bytes(weighed->row) >= facts->whole_bytes * SHARE_LEAST)
                add(judge, weighed, "");
        }
    }
}
