/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of single blocks: !poolfind old and new, !pool, the blocks of !verifier, traces of
 * allocations. One row for each line, with the block's size as its bytes; how many blocks the tag
 * holds in all, such a list does not say.
 */
#include "server/diagnose/parse.h"
#include "server/diagnose/scan.h"

#include <ctype.h>
#include <string.h>

#define JUNK_MAX 20

struct block {
    const char *tag;
    size_t tag_length;
    uint64_t size;
    enum pool pool;
    bool freed;
};

static bool address(const char **at)
{
    const char *c = scan_blanks(*at);
    c += strspn(c, "*>");
    const char *begin = c;
    uint64_t value = 0;
    if (!scan_hex(&c, &value) || c - begin < 7 || (*c != ' ' && *c != '\t' && *c != ':'))
        return false;
    *at = scan_blanks(c);
    return true;
}

static size_t tag_length(const char *at, const char *ends)
{
    size_t four = scan_characters(at, 4);
    size_t word = strcspn(at, ends);
    return four > 0 && four < word ? four : word;
}

/* "82721c00 size:   10 previous size:   30  (Free)      SeSd (Protected)" */
static bool old_block(const char *at, struct block *block)
{
    if (!scan_prefix(&at, "size:"))
        return false;
    at = scan_blanks(at);
    if (!scan_hex(&at, &block->size))
        return false;
    const char *state = strchr(at, '(');
    if (state == NULL)
        return false;
    block->freed = scan_starts(state, "(Free");
    const char *tag = strchr(state, ')');
    if (tag == NULL)
        return false;
    tag++;
    tag += strspn(tag, " \t*");
    block->tag = tag;
    block->tag_length = tag_length(tag, "(\t");
    while (block->tag_length > 0 && tag[block->tag_length - 1] == ' ')
        block->tag_length--;
    return block->tag_length > 0;
}

/* "866209f0 : tag Frag, size     0x600, Nonpaged pool"; "large page allocation, Tag is Frag, size
 * is 0x1000 bytes" */
static bool new_block(const char *at, struct block *block)
{
    const char *tag = scan_find(at, "tag ");
    const char *size = scan_find(at, "size ");
    if (tag == NULL || size == NULL || (*at != ':' && strcasestr(at, "allocation") == NULL))
        return false;
    scan_prefix(&tag, "is ");
    scan_prefix(&size, "is ");
    size = scan_blanks(size);
    const char *comma = strchr(tag, ',');
    block->tag = tag;
    block->tag_length = comma == NULL ? scan_word(tag) : (size_t)(comma - tag);
    block->pool = scan_pool_in(size);
    return scan_hex(&size, &block->size) && block->tag_length <= 16;
}

static bool block_line(const char *line, struct block *ret_block)
{
    struct block block = {.pool = POOL_UNKNOWN};
    const char *at = line;
    uint32_t tag = 0;
    if (!address(&at) || (!old_block(at, &block) && !new_block(at, &block)) ||
        !scan_tag(block.tag, block.tag_length, &tag) || block.size > (uint64_t)INT64_MAX)
        return false;
    *ret_block = block;
    return true;
}

/* "Searching NonPaged pool (...) for Tag", "region is Nonpaged pool" */
static bool pool_line(const char *line, enum pool *ret_pool)
{
    const char *at = scan_find(line, "Searching ");
    if (at == NULL)
        at = scan_find(line, "region is ");
    if (at == NULL || strcasestr(at, "pool") == NULL)
        return false;
    enum pool pool = POOL_UNKNOWN;
    at = scan_blanks(at);
    if (!scan_pool_word(&at, &pool))
        return false;
    *ret_pool = pool;
    return true;
}

static bool poolfind_line(const char *line)
{
    return strstr(line, "Scanning large pool allocation table") != NULL ||
           strstr(line, "Pool page ") != NULL;
}

static bool blocks_start(const struct parse *parse, size_t at)
{
    struct block block;
    enum pool pool = POOL_UNKNOWN;
    const char *line = parse->lines[at];
    return block_line(line, &block) || poolfind_line(line) || pool_line(line, &pool);
}

/* "!poolfind Thre 0", "!poolfind -tag "Abcd" -nonpaged" */
static enum pool command_pool(const char *command)
{
    if (command == NULL || !scan_starts(command, "!poolfind "))
        return POOL_UNKNOWN;
    if (strcasestr(command, " -nonpaged") != NULL)
        return POOL_NONPAGED;
    if (strcasestr(command, " -paged") != NULL)
        return POOL_PAGED;
    const char *last = strrchr(command, ' ');
    if (strcmp(last, " 0") == 0)
        return POOL_NONPAGED;
    return strcmp(last, " 1") == 0 ? POOL_PAGED : POOL_UNKNOWN;
}

/* "Pooltag Thre : Thread objects, Binary : nt!ps" describes the rows above. */
static bool describe(struct parse *parse, struct report *report, const char *line)
{
    const char *at = scan_find(line, "Pooltag ");
    uint32_t tag = 0;
    if (at == NULL)
        return false;
    const char *colon = strchr(at, ':');
    size_t length = scan_characters(at, 4);
    if (colon == NULL || length == 0 || !scan_tag(at, length, &tag))
        return false;
    const char *text = parse_text(parse, colon + 1, strlen(colon + 1));
    for (size_t i = 0; i < report->out.row_count; i++)
        if (report->out.rows[i].tag == tag && report->out.rows[i].description == NULL)
            report->out.rows[i].description = text;
    return true;
}

static size_t blocks_read(struct parse *parse, size_t at)
{
    bool single = parse->command != NULL && scan_starts(parse->command, "!pool ");
    struct report *report = report_new(parse, single ? "pool" : "poolfind");
    enum pool now = command_pool(parse->command);
    size_t from = at;
    size_t end = at + 1;
    size_t junk = 0;
    report->blocks = true;
    for (; at < parse->count && junk <= JUNK_MAX; at++) {
        const char *line = parse->lines[at];
        struct block block;
        uint32_t tag = 0;
        if (block_line(line, &block) && scan_tag(block.tag, block.tag_length, &tag)) {
            enum pool pool = block.pool == POOL_UNKNOWN ? now : block.pool;
            struct diagnose_row *row = report_row(parse, report, tag, pool);
            row->bytes = (int64_t)block.size;
            row->description = block.freed ? "free block" : NULL;
        } else if (!pool_line(line, &now) && !poolfind_line(line)) {
            if (parse_is_blank(parse, at))
                continue;
            if (report->out.row_count > 0 && describe(parse, report, line))
                return at + 1;
            if (at > from && parse_other_starts(parse, at, &reader_blocks))
                break;
            junk++;
            continue;
        }
        end = at + 1;
        junk = 0;
    }
    return end;
}

const struct reader reader_blocks = {"blocks", blocks_start, blocks_read};

/* ---- blocks of !verifier 3 -------------------------------------------------- */

static bool verifier_title(const char *line)
{
    return strcasestr(line, "Address") != NULL && strcasestr(line, "Tag") != NULL &&
           strcasestr(line, "Caller") != NULL &&
           (strcasestr(line, "Length") != NULL || strcasestr(line, "Size") != NULL);
}

static bool verifier_blocks_start(const struct parse *parse, size_t at)
{
    return verifier_title(parse->lines[at]);
}

static size_t verifier_blocks_read(struct parse *parse, size_t at)
{
    struct report *report = report_new(parse, "verifier");
    enum pool pool = POOL_UNKNOWN;
    size_t end = at + 1;
    report->blocks = true;
    for (size_t i = at + 1; i < parse->count; i++) {
        const char *line = parse->lines[i];
        uint64_t size = 0;
        uint32_t tag = 0;
        if (parse_is_blank(parse, i) || line[strspn(line, " -=\t")] == '\0')
            continue;
        if (!address(&line))
            break;
        line = scan_blanks(line);
        if (!scan_hex(&line, &size) || size > (uint64_t)INT64_MAX || *line != ' ')
            break;
        line = scan_blanks(line);
        size_t length = tag_length(line, "\t");
        while (length > 1 && line[length - 1] == ' ')
            length--;
        if (!scan_tag(line, length, &tag))
            break;
        report_row(parse, report, tag, pool)->bytes = (int64_t)size;
        end = i + 1;
    }
    return end;
}

const struct reader reader_verifier_blocks = {"verifier blocks", verifier_blocks_start,
                                              verifier_blocks_read};

/* ---- counters of !verifier -------------------------------------------------- */

static bool verifier_starts(const struct parse *parse, size_t at)
{
    const char *line = scan_blanks(parse->lines[at]);
    return scan_starts(line, "Pool Allocations Attempted") ||
           scan_starts(line, "Current paged pool allocations") ||
           scan_starts(line, "Current nonpaged pool allocations");
}

static size_t verifier_read(struct parse *parse, size_t at)
{
    static const struct {
        const char *name;
        const char *figure;
        bool left; /* not zero: something is outstanding or failed */
    } lines[] = {
        {"Pool Allocations Attempted", "verifier_attempted", false},
        {"Pool Allocations Failed", "verifier_failed", false},
        {"Current paged pool allocations", "verifier_paged_blocks", true},
        {"Current nonpaged pool allocations", "verifier_nonpaged_blocks", true},
    };
    struct report *report = report_new(parse, "verifier");
    report->verifier = true;
    size_t end = at + 1;
    for (size_t i = at; i < parse->count && i < end + 6; i++) {
        const char *line = scan_blanks(parse->lines[i]);
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
            const char *value = line;
            uint64_t number = 0;
            if (!scan_prefix(&value, lines[k].name))
                continue;
            value = scan_blanks(value);
            if (scan_hex(&value, &number) && number <= (uint64_t)INT64_MAX) {
                report_total(parse, report, lines[k].figure, (int64_t)number);
                report->verifier_left = report->verifier_left || (lines[k].left && number > 0);
            }
            end = i + 1;
        }
        if (strcasestr(line, "pool allocations") != NULL)
            end = i + 1;
    }
    return end;
}

const struct reader reader_verifier = {"verifier", verifier_starts, verifier_read};

/* ---- traces of allocations -------------------------------------------------- */

/* "... SeSd (type: PagedPool, size: 216): nt!se,Security Descriptor" */
static bool trace_line(const char *line, struct block *ret_block)
{
    const char *type = strstr(line, " (type: ");
    const char *size = type == NULL ? NULL : scan_find(type, "size:");
    struct block block = {.pool = POOL_UNKNOWN};
    int64_t bytes = 0;
    uint32_t tag = 0;
    if (size == NULL || type - line < 5)
        return false;
    size = scan_blanks(size);
    const char *word = type + strlen(" (type: ");
    if (!scan_digits(&size, &bytes) || !scan_pool_word(&word, &block.pool))
        return false;
    block.size = (uint64_t)bytes;
    const char *begin = type;
    while (begin > line && type - begin < 4 && begin[-1] != ' ')
        begin--;
    block.tag = begin;
    block.tag_length = (size_t)(type - begin);
    if (block.tag_length == 0 || !scan_tag(begin, block.tag_length, &tag))
        return false;
    *ret_block = block;
    return true;
}

static bool trace_starts(const struct parse *parse, size_t at)
{
    struct block block;
    return trace_line(parse->lines[at], &block);
}

static size_t trace_read(struct parse *parse, size_t at)
{
    struct report *report = report_new(parse, "trace");
    struct block block;
    report->blocks = true;
    for (; at < parse->count && trace_line(parse->lines[at], &block); at++) {
        uint32_t tag = 0;
        if (!scan_tag(block.tag, block.tag_length, &tag))
            continue;
        struct diagnose_row *row = report_row(parse, report, tag, block.pool);
        row->allocs = 1;
        row->bytes = (int64_t)block.size;
        const char *text = strstr(block.tag, "): ");
        if (text != NULL)
            row->description = parse_text(parse, text + 3, strlen(text + 3));
    }
    return at;
}

const struct reader reader_trace = {"trace", trace_starts, trace_read};
