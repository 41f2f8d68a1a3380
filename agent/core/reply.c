/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/reply.h"
#include "common/cbor.h"
#include "common/tag.h"
#include "common/utf8.h"

#include <string.h>

/* Reads one value into *target, whose type the reader knows. */
typedef enum status (*value_reader)(struct cbor_reader *in, void *target, struct err *err);

/* One member we know; `offset` is its place in what the map is read into. */
struct member {
    const char *name;
    value_reader read;
    size_t offset;
    bool required;
};
#define MEMBERS(members)    members, sizeof members / sizeof members[0]
#define WANTED(type, field) offsetof(struct type, field), true
#define MAY(type, field)    offsetof(struct type, field), false

#define PROBLEM_PREFIX "urn:poolfleet:problem:"

/* ---- values ---------------------------------------------------------------------------------- */

static enum status wrong(struct err *err, const char *what)
{
    return err_set(err, ST_INVALID, "could not read the server's reply: %s is wanted", what);
}

static enum status read_range(struct cbor_reader *in, uint64_t min, uint64_t max,
                              uint64_t *ret_value, struct err *err)
{
    uint64_t value;
    if (cbor_peek(in) != CBOR_UINT || !cbor_read_uint(in, &value))
        return wrong(err, "a number");
    if (value < min || value > max)
        return err_set(err, ST_INVALID,
                       "could not read the server's reply: %llu is out of range %llu..%llu",
                       (unsigned long long)value, (unsigned long long)min, (unsigned long long)max);
    *ret_value = value;
    return ST_OK;
}

static enum status read_count(struct cbor_reader *in, void *ret_u64, struct err *err)
{
    return read_range(in, 0, LIMIT_NUMBER_MAX, ret_u64, err);
}

static enum status read_index(struct cbor_reader *in, void *ret_size, struct err *err)
{
    uint64_t value = 0;
    enum status status = read_range(in, 0, LIMIT_NDJSON_DOCUMENTS - 1, &value, err);
    *(size_t *)ret_size = (size_t)value;
    return status;
}

static enum status read_flag(struct cbor_reader *in, void *ret_bool, struct err *err)
{
    return cbor_peek(in) == CBOR_BOOL && cbor_read_bool(in, ret_bool) ? ST_OK
                                                                      : wrong(err, "true or false");
}

static enum status borrow_text(struct cbor_reader *in, const char **ret_text, size_t *ret_length,
                               struct err *err)
{
    if (cbor_peek(in) != CBOR_TEXT || !cbor_read_text(in, ret_text, ret_length) ||
        !utf8_valid(*ret_text, *ret_length))
        return wrong(err, "a text");
    return ST_OK;
}

/* For a person: as much as fits, no half letters, and nothing that could end a line of a log. */
static void copy_shown(char *to, size_t size, const char *text, size_t length)
{
    size_t at = 0;
    for (size_t i = 0; i < length;) {
        size_t used = utf8_sequence(text + i, length - i);
        if (used == 0 || at + used >= size)
            break;
        memcpy(to + at, text + i, used);
        if (used == 1 && ((unsigned char)to[at] < 0x20 || to[at] == 0x7f))
            to[at] = '?';
        at += used;
        i += used;
    }
    to[at] = '\0';
}

/* The last part of a problem's type. */
static void copy_type(char *to, size_t size, const char *text, size_t length)
{
    size_t skip = strlen(PROBLEM_PREFIX);
    if (length < skip || memcmp(text, PROBLEM_PREFIX, skip) != 0)
        skip = 0;
    copy_shown(to, size, text + skip, length - skip);
}

/* ---- maps and lists -------------------------------------------------------------------------- */

static size_t find_member(const struct member *members, size_t count, const char *name,
                          size_t length)
{
    size_t i = 0;
    while (i < count &&
           (strlen(members[i].name) != length || memcmp(members[i].name, name, length) != 0))
        i++;
    return i;
}

static enum status read_members(struct cbor_reader *in, const struct member *members, size_t count,
                                void *target, struct err *err)
{
    size_t pairs;
    uint32_t seen = 0; /* no table has 32 members */
    if (cbor_peek(in) != CBOR_MAP || !cbor_read_map(in, &pairs))
        return wrong(err, "a map");
    while (cbor_more(in)) {
        const char *name = NULL;
        size_t length = 0;
        enum status status = borrow_text(in, &name, &length, err);
        if (status != ST_OK)
            return status;
        size_t i = find_member(members, count, name, length);
        if (i == count) { /* a newer server's */
            if (!cbor_skip(in))
                return wrong(err, "a value");
            continue;
        }
        if ((seen >> i & 1) != 0)
            return err_field(err, ST_INVALID, members[i].name,
                             "could not read the server's reply: a member stands twice");
        seen |= 1u << i;
        status = members[i].read(in, (char *)target + members[i].offset, err);
        if (status != ST_OK) {
            err_prefix_field(err, members[i].name);
            return status;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (members[i].required && (seen >> i & 1) == 0)
            return err_field(err, ST_INVALID, members[i].name,
                             "could not read the server's reply: a member is missing");
    }
    return in->failed ? wrong(err, "the end of a map") : ST_OK;
}

static enum status open_list(struct cbor_reader *in, struct err *err)
{
    size_t count;
    return cbor_peek(in) == CBOR_ARRAY && cbor_read_array(in, &count) ? ST_OK
                                                                      : wrong(err, "a list");
}

static enum status close_list(const struct cbor_reader *in, struct err *err)
{
    return in->failed ? wrong(err, "the end of a list") : ST_OK;
}

/* ---- config and want ------------------------------------------------------------------------- */

static enum status read_interval(struct cbor_reader *in, void *ret_us, struct err *err)
{
    uint64_t seconds = 0;
    enum status status = read_range(in, 10, 86400, &seconds, err);
    *(int64_t *)ret_us = (int64_t)seconds * US_PER_SECOND;
    return status;
}

static enum status read_top(struct cbor_reader *in, void *ret_i64, struct err *err)
{
    uint64_t count = 0;
    enum status status = read_range(in, 0, LIMIT_PROCESSES, &count, err);
    *(int64_t *)ret_i64 = (int64_t)count;
    return status;
}

static const struct member config_members[] = {
    {"interval_seconds", read_interval, MAY(reply_config, interval_us)},
    {"top_processes", read_top, MAY(reply_config, top_processes)},
};

static enum status read_config(struct cbor_reader *in, void *ret_config, struct err *err)
{
    return read_members(in, MEMBERS(config_members), ret_config, err);
}

static bool is_sha256(const char *text, size_t length)
{
    if (length != SHA256_TEXT_MAX - 1)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (memchr("0123456789abcdef", text[i], 16) == NULL)
            return false;
    }
    return true;
}

/* What does not fit is left for a later reply: the server asks again for what it did not get. */
static enum status read_scan(struct cbor_reader *in, void *target, struct err *err)
{
    struct reply_want *want = target;
    enum status status = open_list(in, err);
    while (status == ST_OK && cbor_more(in)) {
        const char *text = NULL;
        size_t length = 0;
        status = borrow_text(in, &text, &length, err);
        if (status == ST_OK && !is_sha256(text, length))
            status = wrong(err, "a hash of 64 lower-case hex digits");
        if (status == ST_OK && want->scan_count < SOURCE_SCAN_FILES)
            copy_shown(want->scan[want->scan_count++], SHA256_TEXT_MAX, text, length);
    }
    return status == ST_OK ? close_list(in, err) : status;
}

static enum status read_blocks(struct cbor_reader *in, void *target, struct err *err)
{
    struct reply_want *want = target;
    enum status status = open_list(in, err);
    while (status == ST_OK && cbor_more(in)) {
        const char *text = NULL;
        size_t length = 0;
        uint32_t tag = 0;
        status = borrow_text(in, &text, &length, err);
        if (status == ST_OK && !tag_parse(text, length, &tag))
            status = wrong(err, "the text form of a tag");
        if (status == ST_OK && want->block_count < SOURCE_BLOCK_TAGS)
            want->blocks[want->block_count++] = tag;
    }
    return status == ST_OK ? close_list(in, err) : status;
}

static const struct member want_members[] = {
    {"full", read_flag, MAY(reply_want, full)},
    {"drivers", read_flag, MAY(reply_want, drivers)},
    {"processes", read_flag, MAY(reply_want, processes)},
    {"scan", read_scan, 0, false},
    {"blocks", read_blocks, 0, false},
};

static enum status read_want(struct cbor_reader *in, void *ret_want, struct err *err)
{
    return read_members(in, MEMBERS(want_members), ret_want, err);
}

/* ---- the replies ----------------------------------------------------------------------------- */

/* Into the array, not a pointer: the target is the struct. */
static enum status read_rejected_type(struct cbor_reader *in, void *target, struct err *err)
{
    struct reply_rejected *rejected = target;
    const char *text = NULL;
    size_t length = 0;
    enum status status = borrow_text(in, &text, &length, err);
    if (status == ST_OK)
        copy_type(rejected->type, sizeof rejected->type, text, length);
    return status;
}

static enum status read_rejected_detail(struct cbor_reader *in, void *target, struct err *err)
{
    struct reply_rejected *rejected = target;
    const char *text = NULL;
    size_t length = 0;
    enum status status = borrow_text(in, &text, &length, err);
    if (status == ST_OK)
        copy_shown(rejected->detail, sizeof rejected->detail, text, length);
    return status;
}

static const struct member rejected_members[] = {
    {"index", read_index, WANTED(reply_rejected, index)},
    {"type", read_rejected_type, 0, true},
    {"detail", read_rejected_detail, 0, true},
};

static enum status read_rejected(struct cbor_reader *in, void *target, struct err *err)
{
    struct reply_snapshots *reply = target;
    enum status status = open_list(in, err);
    while (status == ST_OK && cbor_more(in)) {
        if (reply->rejected_count == REPLY_REJECTED_MAX)
            return wrong(err, "a shorter list");
        status = read_members(in, MEMBERS(rejected_members),
                              &reply->rejected[reply->rejected_count++], err);
    }
    return status == ST_OK ? close_list(in, err) : status;
}

static const struct member snapshots_members[] = {
    {"accepted", read_count, WANTED(reply_snapshots, accepted)},
    {"duplicates", read_count, WANTED(reply_snapshots, duplicates)},
    {"rejected", read_rejected, 0, true},
    {"config", read_config, MAY(reply_snapshots, config)},
    {"want", read_want, MAY(reply_snapshots, want)},
};

static enum status read_host_id(struct cbor_reader *in, void *target, struct err *err)
{
    char *id = target;
    const char *text = NULL;
    size_t length = 0;
    enum status status = borrow_text(in, &text, &length, err);
    if (status != ST_OK)
        return status;
    copy_shown(id, LIMIT_HOST_ID_BYTES + 1, text, length);
    return strlen(id) == length && snapshot_host_id_valid(id) ? ST_OK : wrong(err, "a host id");
}

/* It goes into a header line: printable ASCII without blanks, so that it cannot end one. */
static enum status read_token(struct cbor_reader *in, void *target, struct err *err)
{
    char *token = target;
    const char *text = NULL;
    size_t length = 0;
    enum status status = borrow_text(in, &text, &length, err);
    if (status != ST_OK)
        return status;
    bool ok = length > 0 && length < REPLY_TOKEN_MAX;
    for (size_t i = 0; ok && i < length; i++)
        ok = text[i] > 0x20 && text[i] < 0x7f;
    if (!ok)
        return wrong(err, "a token");
    copy_shown(token, REPLY_TOKEN_MAX, text, length);
    return ST_OK;
}

static const struct member enroll_members[] = {
    {"host_id", read_host_id, WANTED(reply_enroll, host_id)},
    {"token", read_token, WANTED(reply_enroll, token)},
    {"config", read_config, MAY(reply_enroll, config)},
};

/* One map and nothing behind it. Well-formed comes before right, so that a reply that was cut off
 * says so. */
static enum status read_reply(const void *data, size_t length, const struct member *members,
                              size_t count, void *target, struct err *err)
{
    struct cbor_reader in;
    struct cbor_reader whole;
    cbor_read_init(&in, data, length);
    cbor_read_init(&whole, data, length);
    if (!cbor_skip(&whole) || cbor_peek(&whole) != CBOR_END)
        return err_set(err, ST_MALFORMED, "could not read the server's reply at byte %u: %s",
                       (unsigned)cbor_offset(&whole),
                       whole.failed ? whole.fault : "something follows the reply");
    return read_members(&in, members, count, target, err);
}

static const struct reply_config config_untold = {.interval_us = 0, .top_processes = -1};

enum status reply_snapshots_read(const void *data, size_t length, struct reply_snapshots *ret_reply,
                                 struct err *err)
{
    memset(ret_reply, 0, sizeof *ret_reply);
    ret_reply->config = config_untold;
    enum status status = read_reply(data, length, MEMBERS(snapshots_members), ret_reply, err);
    if (status != ST_OK) {
        memset(ret_reply, 0, sizeof *ret_reply);
        ret_reply->config = config_untold;
    }
    return status;
}

enum status reply_enroll_read(const void *data, size_t length, struct reply_enroll *ret_reply,
                              struct err *err)
{
    memset(ret_reply, 0, sizeof *ret_reply);
    ret_reply->config = config_untold;
    enum status status = read_reply(data, length, MEMBERS(enroll_members), ret_reply, err);
    if (status != ST_OK) {
        memset(ret_reply, 0, sizeof *ret_reply);
        ret_reply->config = config_untold;
    }
    return status;
}

void reply_problem_read(const void *data, size_t length, struct reply_problem *ret_problem)
{
    struct cbor_reader in;
    size_t pairs;
    *ret_problem = (struct reply_problem){0};
    cbor_read_init(&in, data, length);
    if (cbor_peek(&in) != CBOR_MAP || !cbor_read_map(&in, &pairs))
        return;
    while (cbor_more(&in)) {
        const char *name = NULL;
        const char *text = NULL;
        size_t name_length = 0;
        size_t text_length = 0;
        if (borrow_text(&in, &name, &name_length, NULL) != ST_OK)
            return;
        bool is_type = name_length == 4 && memcmp(name, "type", 4) == 0;
        bool is_detail = name_length == 6 && memcmp(name, "detail", 6) == 0;
        if ((!is_type && !is_detail) || cbor_peek(&in) != CBOR_TEXT) {
            if (!cbor_skip(&in))
                return;
        } else if (borrow_text(&in, &text, &text_length, NULL) != ST_OK) {
            return;
        } else if (is_type) {
            copy_type(ret_problem->type, sizeof ret_problem->type, text, text_length);
        } else {
            copy_shown(ret_problem->detail, sizeof ret_problem->detail, text, text_length);
        }
    }
}
