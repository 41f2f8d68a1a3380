/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two encodings of the document held against each other: random snapshots through both, and
 * every break of the contract with the same status and the same path. CBOR of a JSON text is made
 * here, by a writer of the test's own, with definite and with indefinite lengths.
 */
#include "common/cbor.h"
#include "common/limits.h"
#include "common/snapshot_cbor.h"
#include "common/snapshot_json.h"

#include <check.h>
#include <jansson.h>
#include <string.h>

Suite *snapshot_cbor_suite(void);

#define COUNT(array)       (sizeof(array) / sizeof *(array))
#define BYTES_OF(literal)  literal, sizeof(literal) - 1
#define SAME_TEXT(a, b)    ck_assert_pstr_eq((a), (b))
#define SAME_NUMBERS(a, b) ck_assert_int_eq((int64_t)(a), (int64_t)(b))

/* ---- random snapshots ------------------------------------------------------------------------ */

static uint64_t random_state;

static uint64_t random_bits(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 24 ^ random_state << 40;
}

static bool chance(unsigned percent)
{
    return random_bits() % 100 < percent;
}

/* Of any magnitude, so that every form of an integer comes up. */
static uint64_t random_number(uint64_t max)
{
    uint64_t value = random_bits() >> random_bits() % 64;
    return max == UINT64_MAX ? value : value % (max + 1);
}

static int64_t random_amount(void)
{
    return (int64_t)random_number(LIMIT_NUMBER_MAX);
}

static const char *random_text(struct snapshot *s, const char *prefix, size_t number)
{
    static const char *const tails[] = {"",     "a b",    "\"\\\n\t",         "\xc3\xa9",
                                        "\x7f", "\x01\v", "\xf0\x9f\x98\x80", "/x.pdb"};
    char text[64];
    int n =
        snprintf(text, sizeof text, "%s%zu%s", prefix, number, tails[random_bits() % COUNT(tails)]);
    return arena_strndup(&s->arena, text, (size_t)n);
}

static const char *random_known_text(struct snapshot *s, const char *prefix)
{
    return chance(50) ? random_text(s, prefix, 0) : NULL;
}

static void random_table(struct snapshot *s, struct snapshot_table *table)
{
    struct err err;
    size_t rows = random_bits() % 40;
    unsigned columns = 1 + (unsigned)(random_bits() % COLUMN_ALL);
    ck_assert_int_eq(snapshot_table_alloc(&s->arena, table, rows, columns), ST_OK);
    for (size_t i = 0; i < rows; i++) {
        /* The row's number in the low bits keeps tags apart; sorting mixes them by the rest. */
        table->tag[i] = ((uint32_t)random_bits() << 8 | (uint32_t)i) & ~TAG_PROTECTED;
        if (table->allocs != NULL)
            table->allocs[i] = (uint32_t)random_number(UINT32_MAX);
        if (table->frees != NULL)
            table->frees[i] = (uint32_t)random_number(UINT32_MAX);
        if (table->bytes != NULL)
            table->bytes[i] = random_number(LIMIT_NUMBER_MAX);
    }
    ck_assert_int_eq(snapshot_table_sort(table, &err), ST_OK);
}

static void random_drivers(struct snapshot *s)
{
    s->has_drivers = true;
    s->driver_count = random_bits() % 5;
    s->drivers = arena_alloc(&s->arena, s->driver_count, sizeof *s->drivers);
    for (size_t i = 0; i < s->driver_count; i++) {
        struct snapshot_driver *driver = &s->drivers[i];
        driver->name = random_text(s, "d", i);
        driver->version = random_known_text(s, "1.");
        driver->company = random_known_text(s, "C");
        driver->product = random_known_text(s, "P");
        driver->symbols = random_known_text(s, "S");
        driver->sha256 =
            chance(50) ? "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" : NULL;
        driver->has_tags = chance(60);
        driver->tag_count = driver->has_tags ? random_bits() % 4 : 0;
        driver->tags = arena_alloc(&s->arena, driver->tag_count, sizeof *driver->tags);
        for (size_t t = 0; t < driver->tag_count; t++)
            driver->tags[t] = (uint32_t)random_bits() & ~TAG_PROTECTED;
    }
}

static void random_blocks(struct snapshot *s)
{
    s->block_count = random_bits() % 4;
    s->blocks = arena_alloc(&s->arena, s->block_count, sizeof *s->blocks);
    for (size_t i = 0; i < s->block_count; i++) {
        struct snapshot_blocks *blocks = &s->blocks[i];
        blocks->tag = (uint32_t)i << 24 | (uint32_t)(random_bits() & 0xffffff);
        blocks->count = random_bits() % 4;
        blocks->bytes = arena_alloc(&s->arena, blocks->count, sizeof *blocks->bytes);
        blocks->blocks = arena_alloc(&s->arena, blocks->count, sizeof *blocks->blocks);
        for (size_t b = 0; b < blocks->count; b++) {
            blocks->bytes[b] = (uint64_t)random_amount();
            blocks->blocks[b] = (uint64_t)random_amount();
        }
    }
}

static void random_lists(struct snapshot *s)
{
    bool objects = chance(50), handles = chance(50);
    s->object_count = random_bits() % 4;
    s->process_count = random_bits() % 4;
    s->session_count = random_bits() % 4;
    s->event_count = random_bits() % 4;
    s->objects = arena_alloc(&s->arena, s->object_count, sizeof *s->objects);
    s->processes = arena_alloc(&s->arena, s->process_count, sizeof *s->processes);
    s->sessions = arena_alloc(&s->arena, s->session_count, sizeof *s->sessions);
    s->events = arena_alloc(&s->arena, s->event_count, sizeof *s->events);
    for (size_t i = 0; i < s->object_count; i++)
        s->objects[i] = (struct snapshot_object){
            random_text(s, "T", i), objects ? random_amount() : -1, handles ? random_amount() : -1};
    for (size_t i = 0; i < s->process_count; i++)
        s->processes[i] = (struct snapshot_process){random_amount(), random_text(s, "", i),
                                                    chance(50) ? random_amount() : -1};
    for (size_t i = 0; i < s->session_count; i++)
        s->sessions[i] = (struct snapshot_session){
            random_amount(), chance(50) ? random_amount() : -1, chance(50) ? random_amount() : -1};
    for (size_t i = 0; i < s->event_count; i++)
        s->events[i] = (struct snapshot_event){(int64_t)random_number(4000000000000000ull),
                                               random_text(s, "Srv", i), random_amount()};
}

static void random_snapshot(struct snapshot *s)
{
    snapshot_init(s);
    s->host_id = chance(70) ? "6f1c.A_b:c@d-0" : NULL;
    s->host_name = random_known_text(s, "FS");
    s->taken_at_us = (int64_t)random_number(4000000000000000ull);
    s->boot_at_us = chance(60) ? s->taken_at_us - (int64_t)random_number(1ull << 50) : TIME_UNKNOWN;
    s->sequence = chance(70) ? random_amount() : SEQUENCE_UNKNOWN;
    s->base = s->sequence > 0 && chance(50) ? (int64_t)random_number((uint64_t)s->sequence - 1)
                                            : SEQUENCE_UNKNOWN;
    s->has_attributes = chance(50);
    s->attribute_count = s->has_attributes ? random_bits() % 4 : 0;
    s->attributes = arena_alloc(&s->arena, s->attribute_count, sizeof *s->attributes);
    for (size_t i = 0; i < s->attribute_count; i++)
        s->attributes[i] =
            (struct snapshot_attribute){random_text(s, "os.", i), random_text(s, "", i)};
    if (chance(50))
        random_drivers(s);
    for (unsigned i = 0; i < TOTAL_COUNT; i++) {
        if (chance(50))
            totals_set(&s->totals, (enum total)i, (uint64_t)random_amount());
    }
    unsigned pools = 1 + (unsigned)(random_bits() % 3);
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        if ((pools >> pool & 1) != 0)
            random_table(s, &s->table[pool]);
    }
    random_lists(s);
    random_blocks(s);
    if (chance(50))
        s->agent = (struct snapshot_agent){true, chance(50), random_known_text(s, "0.1."),
                                           chance(50) ? random_amount() : -1,
                                           chance(50) ? random_amount() : -1};
}

/* ---- equality, member by member: what an encoder forgets must be seen ------- */

static void same_columns(const struct snapshot_table *a, const struct snapshot_table *b)
{
    ck_assert(a->present == b->present);
    ck_assert_uint_eq(a->count, b->count);
    if (!a->present)
        return;
    ck_assert_uint_eq(snapshot_table_columns(a), snapshot_table_columns(b));
    if (a->count == 0)
        return;
    ck_assert_mem_eq(a->tag, b->tag, a->count * sizeof *a->tag);
    if (a->allocs != NULL)
        ck_assert_mem_eq(a->allocs, b->allocs, a->count * sizeof *a->allocs);
    if (a->frees != NULL)
        ck_assert_mem_eq(a->frees, b->frees, a->count * sizeof *a->frees);
    if (a->bytes != NULL)
        ck_assert_mem_eq(a->bytes, b->bytes, a->count * sizeof *a->bytes);
}

static void same_drivers(const struct snapshot *a, const struct snapshot *b)
{
    ck_assert(a->has_drivers == b->has_drivers);
    ck_assert_uint_eq(a->driver_count, b->driver_count);
    for (size_t i = 0; i < a->driver_count; i++) {
        const struct snapshot_driver *x = &a->drivers[i];
        const struct snapshot_driver *y = &b->drivers[i];
        SAME_TEXT(x->name, y->name);
        SAME_TEXT(x->version, y->version);
        SAME_TEXT(x->company, y->company);
        SAME_TEXT(x->product, y->product);
        SAME_TEXT(x->sha256, y->sha256);
        SAME_TEXT(x->symbols, y->symbols);
        ck_assert(x->has_tags == y->has_tags);
        ck_assert_uint_eq(x->tag_count, y->tag_count);
        for (size_t t = 0; t < x->tag_count; t++)
            ck_assert_uint_eq(x->tags[t], y->tags[t]);
    }
}

static void same_lists(const struct snapshot *a, const struct snapshot *b)
{
    ck_assert_uint_eq(a->object_count, b->object_count);
    for (size_t i = 0; i < a->object_count; i++) {
        SAME_TEXT(a->objects[i].type, b->objects[i].type);
        SAME_NUMBERS(a->objects[i].objects, b->objects[i].objects);
        SAME_NUMBERS(a->objects[i].handles, b->objects[i].handles);
    }
    ck_assert_uint_eq(a->process_count, b->process_count);
    for (size_t i = 0; i < a->process_count; i++) {
        SAME_NUMBERS(a->processes[i].pid, b->processes[i].pid);
        SAME_TEXT(a->processes[i].image, b->processes[i].image);
        SAME_NUMBERS(a->processes[i].handles, b->processes[i].handles);
    }
    ck_assert_uint_eq(a->session_count, b->session_count);
    for (size_t i = 0; i < a->session_count; i++) {
        SAME_NUMBERS(a->sessions[i].id, b->sessions[i].id);
        SAME_NUMBERS(a->sessions[i].paged_bytes, b->sessions[i].paged_bytes);
        SAME_NUMBERS(a->sessions[i].failures, b->sessions[i].failures);
    }
    ck_assert_uint_eq(a->event_count, b->event_count);
    for (size_t i = 0; i < a->event_count; i++) {
        SAME_NUMBERS(a->events[i].at_us, b->events[i].at_us);
        SAME_TEXT(a->events[i].provider, b->events[i].provider);
        SAME_NUMBERS(a->events[i].id, b->events[i].id);
    }
    ck_assert_uint_eq(a->block_count, b->block_count);
    for (size_t i = 0; i < a->block_count; i++) {
        ck_assert_uint_eq(a->blocks[i].tag, b->blocks[i].tag);
        ck_assert_uint_eq(a->blocks[i].count, b->blocks[i].count);
        for (size_t k = 0; k < a->blocks[i].count; k++) {
            ck_assert_uint_eq(a->blocks[i].bytes[k], b->blocks[i].bytes[k]);
            ck_assert_uint_eq(a->blocks[i].blocks[k], b->blocks[i].blocks[k]);
        }
    }
}

static void same_snapshot(const struct snapshot *a, const struct snapshot *b)
{
    SAME_TEXT(a->host_id, b->host_id);
    SAME_TEXT(a->host_name, b->host_name);
    ck_assert(a->has_attributes == b->has_attributes);
    ck_assert_uint_eq(a->attribute_count, b->attribute_count);
    for (size_t i = 0; i < a->attribute_count; i++) {
        SAME_TEXT(a->attributes[i].name, b->attributes[i].name);
        SAME_TEXT(a->attributes[i].value, b->attributes[i].value);
    }
    same_drivers(a, b);
    SAME_NUMBERS(a->boot_at_us, b->boot_at_us);
    SAME_NUMBERS(a->taken_at_us, b->taken_at_us);
    SAME_NUMBERS(a->sequence, b->sequence);
    SAME_NUMBERS(a->base, b->base);
    ck_assert_uint_eq(a->totals.known, b->totals.known);
    for (unsigned i = 0; i < TOTAL_COUNT; i++)
        ck_assert_uint_eq(a->totals.value[i], b->totals.value[i]);
    for (unsigned pool = 0; pool < POOL_COUNT; pool++)
        same_columns(&a->table[pool], &b->table[pool]);
    same_lists(a, b);
    ck_assert(a->agent.present == b->agent.present);
    ck_assert(a->agent.simulated == b->agent.simulated);
    SAME_TEXT(a->agent.version, b->agent.version);
    SAME_NUMBERS(a->agent.waiting, b->agent.waiting);
    SAME_NUMBERS(a->agent.dropped, b->agent.dropped);
}

START_TEST(random_snapshot_is_the_same_through_both_encodings)
{
    random_state = (uint64_t)_i + 1;
    for (unsigned round = 0; round < 100; round++) {
        AUTO_SNAPSHOT struct snapshot given, by_json, by_cbor;
        AUTO_STRBUF struct strbuf json = STRBUF_INIT;
        AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
        struct err err = {0};
        snapshot_init(&by_json);
        snapshot_init(&by_cbor);
        random_snapshot(&given);
        snapshot_json_encode(&given, &json);
        snapshot_cbor_encode(&given, &cbor);
        ck_assert_msg(snapshot_json_decode(json.data, json.length, &by_json, &err) == ST_OK,
                      "%s: %s: %s", json.data, err.field, err.message);
        ck_assert_msg(snapshot_cbor_decode(cbor.data, cbor.length, &by_cbor, &err) == ST_OK,
                      "%s: %s: %s", json.data, err.field, err.message);
        same_snapshot(&given, &by_json);
        same_snapshot(&given, &by_cbor);
    }
}
END_TEST

/* ---- JSON written over by the test ------------------------------------------ */

enum lengths { DEFINITE, INDEFINITE };

static void write_cbor(const json_t *json, enum lengths lengths, struct strbuf *out)
{
    const char *name;
    json_t *value;
    if (json_is_object(json)) {
        if (lengths == INDEFINITE)
            cbor_put_map_open(out);
        else
            cbor_put_map(out, json_object_size(json));
        json_object_foreach((json_t *)json, name, value)
        {
            cbor_put_text(out, name);
            write_cbor(value, lengths, out);
        }
    } else if (json_is_array(json)) {
        if (lengths == INDEFINITE)
            strbuf_putc(out, (char)0x9f);
        else
            cbor_put_array(out, json_array_size(json));
        for (size_t i = 0; i < json_array_size(json); i++)
            write_cbor(json_array_get(json, i), lengths, out);
    } else if (json_is_string(json)) {
        cbor_put_text_n(out, json_string_value(json), json_string_length(json));
    } else if (json_is_integer(json)) {
        cbor_put_int(out, json_integer_value(json));
    } else if (json_is_real(json)) {
        strbuf_add(out, "\xf9\x3c\x00", 3); /* 1.0 */
    } else if (json_is_boolean(json)) {
        cbor_put_bool(out, json_is_true(json));
    } else {
        cbor_put_null(out);
    }
    if (lengths == INDEFINITE && (json_is_object(json) || json_is_array(json)))
        cbor_put_break(out);
}

static void cbor_of(const char *text, enum lengths lengths, struct strbuf *out)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    ck_assert_msg(json != NULL, "%s: %s", text, error.text);
    write_cbor(json, lengths, out);
    json_decref(json);
}

/* Every part of the contract; tags out of order on purpose. */
static const char everything[] =
    "{\"agent\":{\"version\":\"0.1.0\",\"simulated\":true,\"waiting\":3,\"dropped\":0},"
    "\"format\":1,\"host\":{\"id\":\"6f1c2b\",\"name\":\"FS01\",\"attributes\":{\"role\":"
    "\"file-server\",\"os.build\":\"26100.4061\"},\"drivers\":[{\"name\":\"b.sys\",\"version\":"
    "\"1.2\",\"company\":\"C\",\"product\":\"P\",\"sha256\":"
    "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\",\"symbols\":\"b.pdb/1F\","
    "\"tags\":[\"Ddk \",\"\\\\x01abc\"]},{\"name\":\"a.sys\",\"tags\":[]},{\"name\":\"c.sys\"}]},"
    "\"boot_at\":\"2026-11-20T06:12:09Z\",\"taken_at\":\"2026-11-21T02:00:00.250Z\","
    "\"sequence\":118,\"base\":117,\"totals\":{\"nonpaged_bytes\":5,\"alloc_failures\":0},"
    "\"nonpaged\":{\"bytes\":[6550080,9007199254740991],\"frees\":[134,0],"
    "\"tag\":[\"EtwB\",\"Aaaa\"],\"allocs\":[304,4294967295]},\"paged\":{\"tag\":[],\"bytes\":[]},"
    "\"objects\":{\"handles\":[9],\"type\":[\"Thread\"],\"objects\":[7]},"
    "\"processes\":[{\"pid\":4,\"image\":\"System\",\"handles\":12}],"
    "\"sessions\":[{\"id\":9,\"paged_bytes\":33,\"failures\":2}],"
    "\"events\":[{\"at\":\"2026-11-21T01:58:11Z\",\"provider\":\"Srv\",\"id\":2019}],"
    "\"big_blocks\":[{\"tag\":\"Zzzz\",\"bytes\":[8192,4096],\"blocks\":[7,1]},"
    "{\"tag\":\"Aaaa\",\"bytes\":[],\"blocks\":[]}]}";

START_TEST(decode_everything_reads_each_new_part)
{
    AUTO_SNAPSHOT struct snapshot s, by_json;
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    struct err err = {0};
    snapshot_init(&s);
    snapshot_init(&by_json);
    cbor_of(everything, _i == 0 ? DEFINITE : INDEFINITE, &cbor);
    ck_assert_msg(snapshot_cbor_decode(cbor.data, cbor.length, &s, &err) == ST_OK, "%s: %s",
                  err.field, err.message);
    ck_assert_str_eq(s.drivers[1].product, "P");
    ck_assert_uint_eq(strlen(s.drivers[1].sha256), 64);
    ck_assert_str_eq(s.drivers[1].symbols, "b.pdb/1F");
    ck_assert(s.drivers[0].has_tags && s.drivers[0].tag_count == 0);
    ck_assert(s.drivers[1].has_tags && s.drivers[1].tag_count == 2);
    ck_assert(!s.drivers[2].has_tags && s.drivers[2].tag_count == 0);
    ck_assert_uint_eq(s.block_count, 2);
    ck_assert_uint_eq(s.blocks[0].tag, 0x61616141u);
    ck_assert_uint_eq(s.blocks[1].count, 2);
    ck_assert_uint_eq(s.blocks[1].bytes[0], 8192);
    ck_assert_uint_eq(s.blocks[1].blocks[0], 7);
    ck_assert(s.agent.present && s.agent.simulated);
    ck_assert_str_eq(s.agent.version, "0.1.0");
    ck_assert_int_eq(s.agent.waiting, 3);
    ck_assert_int_eq(s.agent.dropped, 0);
    ck_assert_uint_eq(s.table[POOL_NONPAGED].tag[0], 0x42777445u);
    ck_assert_uint_eq(s.table[POOL_NONPAGED].allocs[0], 304);
    ck_assert_uint_eq(s.table[POOL_NONPAGED].bytes[1], LIMIT_NUMBER_MAX);
    ck_assert_int_eq(snapshot_json_decode(everything, strlen(everything), &by_json, &err), ST_OK);
    same_snapshot(&s, &by_json);
}
END_TEST

START_TEST(decode_agent_absent_is_unknown)
{
    AUTO_SNAPSHOT struct snapshot s;
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    snapshot_init(&s);
    cbor_of("{\"format\":1,\"taken_at\":\"2026-11-21T02:00:00Z\",\"agent\":{},"
            "\"paged\":{\"tag\":[],\"bytes\":[]}}",
            DEFINITE, &cbor);
    ck_assert_int_eq(snapshot_cbor_decode(cbor.data, cbor.length, &s, NULL), ST_OK);
    ck_assert(s.agent.present && !s.agent.simulated);
    ck_assert_ptr_null(s.agent.version);
    ck_assert_int_eq(s.agent.waiting, -1);
    ck_assert_int_eq(s.agent.dropped, -1);
}
END_TEST

START_TEST(decode_cut_off_anywhere_is_malformed)
{
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    struct snapshot s;
    cbor_of(everything, _i == 0 ? DEFINITE : INDEFINITE, &cbor);
    for (size_t length = 0; length < cbor.length; length++) {
        struct err err = {0};
        AUTO_FREE char *exact = malloc(length + (length == 0));
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, cbor.data, length);
        ck_assert_int_eq(snapshot_cbor_decode(exact, length, &s, &err), ST_MALFORMED);
        ck_assert_str_ne(err.message, "");
    }
}
END_TEST

START_TEST(decode_with_any_bit_flipped_is_refused_or_encodes_again)
{
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    cbor_of(everything, _i == 0 ? DEFINITE : INDEFINITE, &cbor);
    for (size_t bit = 0; bit < cbor.length * 8; bit++) {
        AUTO_SNAPSHOT struct snapshot s, again;
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        struct err err = {0};
        snapshot_init(&s);
        snapshot_init(&again);
        cbor.data[bit / 8] ^= (char)(1 << bit % 8);
        if (snapshot_cbor_decode(cbor.data, cbor.length, &s, &err) == ST_OK) {
            snapshot_cbor_encode(&s, &out);
            ck_assert_int_eq(snapshot_cbor_decode(out.data, out.length, &again, &err), ST_OK);
            same_snapshot(&s, &again);
        } else {
            ck_assert_str_ne(err.message, "");
        }
        cbor.data[bit / 8] ^= (char)(1 << bit % 8);
    }
}
END_TEST

/* ---- refused in both -------------------------------------------------------- */

#define DOC(rest) "{\"format\":1,\"taken_at\":\"2026-11-21T02:00:00Z\"," rest "}"
#define ROWS      "\"nonpaged\":{\"tag\":[\"Aaaa\"],\"bytes\":[1]}"
#define DRIVER(rest)                                                                               \
    DOC(ROWS ",\"host\":{\"drivers\":[{\"name\":\"a\"},{\"name\":\"b\"," rest "}]}")
#define SHA "0011223344556677889900112233445566778899001122334455667788990011"

static const struct {
    const char *text;
    enum status status;
    const char *field;
} refused[] = {
    {"[]", ST_INVALID, ""},
    {"[1]", ST_INVALID, ""},
    {"{}", ST_INVALID, "format"},
    {"{\"format\":1}", ST_INVALID, "taken_at"},
    {"{\"format\":2}", ST_INVALID, "format"},
    {"{\"format\":\"1\"}", ST_INVALID, "format"},
    {"{\"format\":1.0}", ST_INVALID, "format"},
    {DOC(ROWS ",\"fromat\":1"), ST_INVALID, "fromat"},
    {DOC(ROWS ",\"\":1"), ST_INVALID, ""},
    {DOC(ROWS ",\"sequence\":-1"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":1.0"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":\"1\""), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":null"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":[1]"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":true"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":9007199254740992"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"sequence\":5,\"base\":5"), ST_INVALID, "base"},
    {DOC(ROWS ",\"base\":5"), ST_INVALID, "sequence"},
    {DOC(ROWS ",\"boot_at\":\"2026-11-22T02:00:00Z\""), ST_INVALID, "boot_at"},
    {DOC(ROWS ",\"boot_at\":1"), ST_INVALID, "boot_at"},
    {DOC(ROWS ",\"boot_at\":\"2026-13-01T00:00:00Z\""), ST_INVALID, "boot_at"},
    {DOC("\"totals\":{}"), ST_INVALID, "nonpaged"},
    {DOC(ROWS ",\"totals\":[]"), ST_INVALID, "totals"},
    {DOC(ROWS ",\"totals\":{\"handles\":null}"), ST_INVALID, "totals.handles"},
    {DOC(ROWS ",\"totals\":{\"handels\":1}"), ST_INVALID, "totals.handels"},
    {DOC("\"nonpaged\":[]"), ST_INVALID, "nonpaged"},
    {DOC("\"nonpaged\":{\"tag\":[\"Aaa\"],\"bytes\":[1]}"), ST_INVALID, "nonpaged.tag[0]"},
    {DOC("\"nonpaged\":{\"tag\":[1],\"bytes\":[1]}"), ST_INVALID, "nonpaged.tag[0]"},
    {DOC("\"nonpaged\":{\"tag\":\"Aaaa\",\"bytes\":[1]}"), ST_INVALID, "nonpaged.tag"},
    {DOC("\"nonpaged\":{\"tag\":[\"\\\\x41aaa\"],\"bytes\":[1]}"), ST_INVALID, "nonpaged.tag[0]"},
    {DOC("\"nonpaged\":{\"tag\":[\"Aaaa\"],\"bytes\":[1],\"bites\":[1]}"), ST_INVALID,
     "nonpaged.bites"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\",\"Bbbb\"],\"bytes\":[1]}"), ST_INVALID, "paged.bytes"},
    {DOC("\"paged\":{\"bytes\":[1,2],\"tag\":[\"Aaaa\"]}"), ST_INVALID, "paged.bytes"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\"],\"allocs\":[]}"), ST_INVALID, "paged.allocs"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\"],\"frees\":[1,2]}"), ST_INVALID, "paged.frees"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\",\"Aaaa\"],\"bytes\":[1,1]}"), ST_INVALID, "paged.tag[1]"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\"],\"allocs\":[4294967296]}"), ST_INVALID, "paged.allocs[0]"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\"],\"frees\":[-1]}"), ST_INVALID, "paged.frees[0]"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\"],\"bytes\":[9007199254740992]}"), ST_INVALID,
     "paged.bytes[0]"},
    {DOC("\"paged\":{\"tag\":[\"Aaaa\"]}"), ST_INVALID, "paged"},
    {DOC("\"paged\":{\"bytes\":[1]}"), ST_INVALID, "paged.tag"},
    {DOC(ROWS ",\"host\":1"), ST_INVALID, "host"},
    {DOC(ROWS ",\"host\":{\"nmae\":1}"), ST_INVALID, "host.nmae"},
    {DOC(ROWS ",\"host\":{\"id\":\"a b\"}"), ST_INVALID, "host.id"},
    {DOC(ROWS ",\"host\":{\"id\":\"\"}"), ST_INVALID, "host.id"},
    {DOC(ROWS ",\"host\":{\"attributes\":[]}"), ST_INVALID, "host.attributes"},
    {DOC(ROWS ",\"host\":{\"attributes\":{\"\":\"x\"}}"), ST_INVALID, "host.attributes"},
    {DOC(ROWS ",\"host\":{\"attributes\":{\"os.build\":1}}"), ST_INVALID,
     "host.attributes.os.build"},
    {DOC(ROWS ",\"host\":{\"drivers\":{}}"), ST_INVALID, "host.drivers"},
    {DOC(ROWS ",\"host\":{\"drivers\":[1]}"), ST_INVALID, "host.drivers[0]"},
    {DOC(ROWS ",\"host\":{\"drivers\":[{\"version\":\"1\"}]}"), ST_INVALID, "host.drivers[0].name"},
    {DOC(ROWS ",\"host\":{\"drivers\":[{\"name\":\"\"}]}"), ST_INVALID, "host.drivers[0].name"},
    {DOC(ROWS ",\"host\":{\"drivers\":[{\"name\":\"a\"},{\"name\":\"a\"}]}"), ST_INVALID,
     "host.drivers"},
    {DRIVER("\"sha256\":\"0011\""), ST_INVALID, "host.drivers[1].sha256"},
    {DRIVER("\"sha256\":\"" SHA "0\""), ST_INVALID, "host.drivers[1].sha256"},
    {DRIVER("\"sha256\":\"A0" SHA "\""), ST_INVALID, "host.drivers[1].sha256"},
    {DRIVER("\"product\":null"), ST_INVALID, "host.drivers[1].product"},
    {DRIVER("\"symbols\":7"), ST_INVALID, "host.drivers[1].symbols"},
    {DRIVER("\"tags\":[\"Abcd\",\"abc\"]"), ST_INVALID, "host.drivers[1].tags[1]"},
    {DOC(ROWS ",\"objects\":[]"), ST_INVALID, "objects"},
    {DOC(ROWS ",\"objects\":{\"type\":[\"A\"],\"handles\":[1,2]}"), ST_INVALID, "objects.handles"},
    {DOC(ROWS ",\"objects\":{\"type\":[\"A\"],\"objects\":[null]}"), ST_INVALID,
     "objects.objects[0]"},
    {DOC(ROWS ",\"objects\":{\"type\":[\"\"]}"), ST_INVALID, "objects.type[0]"},
    {DOC(ROWS ",\"objects\":{\"handles\":[]}"), ST_INVALID, "objects.type"},
    {DOC(ROWS ",\"processes\":[{\"pid\":1}]"), ST_INVALID, "processes[0].image"},
    {DOC(ROWS ",\"processes\":[{\"pid\":1,\"image\":2}]"), ST_INVALID, "processes[0].image"},
    {DOC(ROWS ",\"sessions\":[{\"paged_bytes\":1}]"), ST_INVALID, "sessions[0].id"},
    {DOC(ROWS ",\"events\":[{\"at\":\"yesterday\",\"provider\":\"a\",\"id\":1}]"), ST_INVALID,
     "events[0].at"},
    {DOC(ROWS ",\"big_blocks\":{}"), ST_INVALID, "big_blocks"},
    {DOC(ROWS ",\"big_blocks\":[{\"tag\":\"Aaaa\",\"bytes\":[]}]"), ST_INVALID,
     "big_blocks[0].blocks"},
    {DOC(ROWS ",\"big_blocks\":[{\"tag\":\"Aaaa\",\"bytes\":[1],\"blocks\":[1,2]}]"), ST_INVALID,
     "big_blocks[0].blocks"},
    {DOC(ROWS ",\"big_blocks\":[{\"tag\":\"Aaaa\",\"bytes\":[-1],\"blocks\":[1]}]"), ST_INVALID,
     "big_blocks[0].bytes[0]"},
    {DOC(ROWS ",\"big_blocks\":[{\"tag\":\"Aaaa\",\"bytes\":[],\"blocks\":[]},{\"tag\":\"Aaaa\","
              "\"bytes\":[],\"blocks\":[]}]"),
     ST_INVALID, "big_blocks"},
    {DOC(ROWS ",\"agent\":[]"), ST_INVALID, "agent"},
    {DOC(ROWS ",\"agent\":{\"simulated\":1}"), ST_INVALID, "agent.simulated"},
    {DOC(ROWS ",\"agent\":{\"waiting\":-1}"), ST_INVALID, "agent.waiting"},
    {DOC(ROWS ",\"agent\":{\"drooped\":1}"), ST_INVALID, "agent.drooped"},
    {DOC(ROWS ",\"x\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"), ST_MALFORMED, ""},
};

START_TEST(refused_in_both_encodings_with_the_same_path)
{
    struct snapshot s;
    struct err err = {0};
    enum status status = snapshot_json_decode(refused[_i].text, strlen(refused[_i].text), &s, &err);
    ck_assert_msg(status == refused[_i].status, "JSON %s: got %s: %s", refused[_i].text,
                  status_name(status), err.message);
    ck_assert_str_eq(err.field, refused[_i].field);
    for (int lengths = DEFINITE; lengths <= INDEFINITE; lengths++) {
        AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
        err = (struct err){0};
        cbor_of(refused[_i].text, (enum lengths)lengths, &cbor);
        status = snapshot_cbor_decode(cbor.data, cbor.length, &s, &err);
        ck_assert_msg(status == refused[_i].status, "CBOR %s: got %s: %s", refused[_i].text,
                      status_name(status), err.message);
        ck_assert_str_eq(err.field, refused[_i].field);
        ck_assert_int_eq(err.code, status);
        ck_assert_str_ne(err.message, "");
    }
}
END_TEST

/* `prefix`, then `item` count times with commas, then `suffix`. */
static const struct {
    const char *prefix, *item, *suffix;
    size_t count;
    const char *field;
} too_many[] = {
    {"{\"nonpaged\":{\"bytes\":[],\"tag\":[", "\"Aaaa\"", "]}}", LIMIT_TABLE_ROWS + 1,
     "nonpaged.tag"},
    {"{\"paged\":{\"allocs\":[", "1", "]}}", LIMIT_TABLE_ROWS + 1, "paged.allocs"},
    {"{\"paged\":{\"bytes\":[", "1", "]}}", LIMIT_TABLE_ROWS + 1, "paged.bytes"},
    {"{\"host\":{\"drivers\":[", "{}", "]}}", LIMIT_DRIVERS + 1, "host.drivers"},
    {"{\"host\":{\"drivers\":[{\"tags\":[", "\"Aaaa\"", "]}]}}", LIMIT_TAGS_PER_DRIVER + 1,
     "host.drivers[0].tags"},
    {"{\"objects\":{\"type\":[", "\"A\"", "]}}", LIMIT_OBJECT_TYPES + 1, "objects.type"},
    {"{\"processes\":[", "{}", "]}", LIMIT_PROCESSES + 1, "processes"},
    {"{\"sessions\":[", "{}", "]}", LIMIT_SESSIONS + 1, "sessions"},
    {"{\"events\":[", "{}", "]}", LIMIT_EVENTS + 1, "events"},
    {"{\"big_blocks\":[", "{}", "]}", LIMIT_BLOCK_TAGS + 1, "big_blocks"},
    {"{\"big_blocks\":[{\"bytes\":[", "1", "]}]}", LIMIT_BLOCK_SIZES + 1, "big_blocks[0].bytes"},
};

START_TEST(over_a_limit_is_too_large_in_both_encodings)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct snapshot s;
    struct err err = {0};
    strbuf_puts(&text, too_many[_i].prefix);
    for (size_t i = 0; i < too_many[_i].count; i++) {
        strbuf_puts(&text, i > 0 ? "," : "");
        strbuf_puts(&text, too_many[_i].item);
    }
    strbuf_puts(&text, too_many[_i].suffix);
    ck_assert_int_eq(snapshot_json_decode(text.data, text.length, &s, &err), ST_TOO_LARGE);
    ck_assert_str_eq(err.field, too_many[_i].field);
    for (int lengths = DEFINITE; lengths <= INDEFINITE; lengths++) {
        AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
        cbor_of(text.data, (enum lengths)lengths, &cbor);
        ck_assert_int_eq(snapshot_cbor_decode(cbor.data, cbor.length, &s, &err), ST_TOO_LARGE);
        ck_assert_str_eq(err.field, too_many[_i].field);
    }
}
END_TEST

START_TEST(long_text_and_many_attributes_are_too_large_in_both)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    struct snapshot s;
    struct err err = {0};
    strbuf_puts(&text, "{\"host\":{");
    if (_i == 0)
        strbuf_printf(&text, "\"name\":\"%0*d\"}}", (int)LIMIT_TEXT_BYTES + 1, 0);
    else {
        strbuf_puts(&text, "\"attributes\":{");
        for (unsigned i = 0; i <= LIMIT_ATTRIBUTES; i++)
            strbuf_printf(&text, "%s\"a%u\":\"\"", i > 0 ? "," : "", i);
        strbuf_puts(&text, "}}}");
    }
    const char *field = _i == 0 ? "host.name" : "host.attributes";
    ck_assert_int_eq(snapshot_json_decode(text.data, text.length, &s, &err), ST_TOO_LARGE);
    ck_assert_str_eq(err.field, field);
    cbor_of(text.data, _i == 2 ? INDEFINITE : DEFINITE, &cbor);
    ck_assert_int_eq(snapshot_cbor_decode(cbor.data, cbor.length, &s, &err), ST_TOO_LARGE);
    ck_assert_str_eq(err.field, field);
}
END_TEST

START_TEST(document_over_the_body_limit_is_too_large)
{
    struct snapshot s;
    struct err err = {0};
    AUTO_FREE char *big = calloc(LIMIT_BODY_BYTES + 1, 1);
    ck_assert_ptr_nonnull(big);
    ck_assert_int_eq(snapshot_cbor_decode(big, LIMIT_BODY_BYTES + 1, &s, &err), ST_TOO_LARGE);
}
END_TEST

/* ---- what only CBOR can say ------------------------------------------------- */

/* A member, as bytes, in a document that is right without it. */
static const struct {
    const char *name;
    const char *bytes;
    size_t length;
    enum status status;
    const char *field;
} cbor_only[] = {
    {"member twice",
     BYTES_OF("\x66"
              "format\x01"),
     ST_MALFORMED, "format"},
    {"total twice", BYTES_OF("\x66totals\xa2\x67handles\x01\x67handles\x01"), ST_MALFORMED,
     "totals.handles"},
    {"attribute twice",
     BYTES_OF("\x64host\xa1\x6a"
              "attributes\xa2\x61x\x60\x61x\x60"),
     ST_MALFORMED, "host.attributes.x"},
    {"column twice", BYTES_OF("\x68nonpaged\xa2\x63tag\x80\x63tag\x80"), ST_MALFORMED,
     "nonpaged.tag"},
    {"bad UTF-8", BYTES_OF("\x64host\xa1\x64name\x62\xc3\x28"), ST_MALFORMED, "host.name"},
    {"NUL in a text",
     BYTES_OF("\x64host\xa1\x64name\x63"
              "a\0b"),
     ST_MALFORMED, "host.name"},
    {"bad UTF-8 in a time",
     BYTES_OF("\x67"
              "boot_at\x61\xff"),
     ST_MALFORMED, "boot_at"},
    {"bad UTF-8 in a tag",
     BYTES_OF("\x68nonpaged\xa1\x63tag\x81\x64"
              "ab\xff"
              "c"),
     ST_MALFORMED, "nonpaged.tag[0]"},
    {"bad UTF-8 in a name", BYTES_OF("\x62\xff\xfe\x01"), ST_MALFORMED, ""},
    {"NUL in a name",
     BYTES_OF("\x63"
              "a\0b\x01"),
     ST_MALFORMED, ""},
    {"number as name", BYTES_OF("\x01\x01"), ST_INVALID, ""},
    {"name in pieces", BYTES_OF("\x7f\x68sequence\xff\x01"), ST_INVALID, ""},
    {"text in pieces",
     BYTES_OF("\x64host\xa1\x64name\x7f\x61"
              "a\xff"),
     ST_INVALID, "host.name"},
    {"bytes as text",
     BYTES_OF("\x64host\xa1\x64name\x41"
              "a"),
     ST_INVALID, "host.name"},
    {"tagged number", BYTES_OF("\x68sequence\xc1\x01"), ST_INVALID, "sequence"},
    {"bignum", BYTES_OF("\x68sequence\xc2\x41\x01"), ST_INVALID, "sequence"},
    {"float", BYTES_OF("\x68sequence\xfb\x3f\xf0\0\0\0\0\0\0"), ST_INVALID, "sequence"},
    {"2^64-1", BYTES_OF("\x68sequence\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), ST_INVALID,
     "sequence"},
    {"-2^64", BYTES_OF("\x68sequence\x3b\xff\xff\xff\xff\xff\xff\xff\xff"), ST_INVALID, "sequence"},
    {"undefined", BYTES_OF("\x68sequence\xf7"), ST_INVALID, "sequence"},
    {"time as tag 0",
     BYTES_OF("\x67"
              "boot_at\xc0\x74"
              "2026-11-20T06:12:09Z"),
     ST_INVALID, "boot_at"},
    {"list of 2^64-1 events",
     BYTES_OF("\x66"
              "events\x9b\xff\xff\xff\xff\xff\xff\xff\xff"),
     ST_MALFORMED, ""},
    {"reserved length", BYTES_OF("\x68sequence\x1c"), ST_MALFORMED, ""},
    {"unknown, then broken", BYTES_OF("\x61x\x01\x61y\x1c"), ST_MALFORMED, ""},
};

/* A right document without its end. */
static void open_document(struct strbuf *out)
{
    cbor_put_map_open(out);
    cbor_put_text(out, "format");
    cbor_put_uint(out, SNAPSHOT_FORMAT);
    cbor_put_text(out, "taken_at");
    cbor_put_text(out, "2026-11-21T02:00:00Z");
    cbor_put_text(out, "paged");
    cbor_put_map(out, 2);
    cbor_put_text(out, "tag");
    cbor_put_array(out, 0);
    cbor_put_text(out, "bytes");
    cbor_put_array(out, 0);
}

START_TEST(decode_what_only_cbor_can_say_names_the_member)
{
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    struct snapshot s;
    struct err err = {0};
    open_document(&cbor);
    strbuf_add(&cbor, cbor_only[_i].bytes, cbor_only[_i].length);
    cbor_put_break(&cbor);
    enum status status = snapshot_cbor_decode(cbor.data, cbor.length, &s, &err);
    ck_assert_msg(status == cbor_only[_i].status, "%s: got %s: %s", cbor_only[_i].name,
                  status_name(status), err.message);
    ck_assert_str_eq(err.field, cbor_only[_i].field);
}
END_TEST

START_TEST(decode_long_integer_forms_are_the_same_numbers)
{
    AUTO_SNAPSHOT struct snapshot s;
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    snapshot_init(&s);
    open_document(&cbor);
    strbuf_add(&cbor, BYTES_OF("\x68sequence\x1b\0\0\0\0\0\0\0\x07"));
    cbor_put_break(&cbor);
    ck_assert_int_eq(snapshot_cbor_decode(cbor.data, cbor.length, &s, NULL), ST_OK);
    ck_assert_int_eq(s.sequence, 7);
}
END_TEST

START_TEST(decode_something_behind_the_document_is_malformed)
{
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    struct snapshot s;
    struct err err = {0};
    open_document(&cbor);
    cbor_put_break(&cbor);
    cbor_put_uint(&cbor, 1);
    ck_assert_int_eq(snapshot_cbor_decode(cbor.data, cbor.length, &s, &err), ST_MALFORMED);
    ck_assert_str_eq(err.field, "");
}
END_TEST

START_TEST(span_tells_where_the_first_document_ends)
{
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT;
    struct err err = {0};
    size_t first = 0;
    size_t length = 0;
    open_document(&cbor);
    cbor_put_break(&cbor);
    first = cbor.length;
    cbor_put_uint(&cbor, 70000);
    ck_assert_int_eq(snapshot_cbor_span(cbor.data, cbor.length, &length, &err), ST_OK);
    ck_assert_uint_eq(length, first);
    ck_assert_int_eq(snapshot_cbor_span(cbor.data, first - 1, &length, &err), ST_MALFORMED);
    ck_assert_ptr_nonnull(strstr(err.message, "cut off"));
    ck_assert_int_eq(snapshot_cbor_span("", 0, &length, NULL), ST_MALFORMED);
}
END_TEST

Suite *snapshot_cbor_suite(void)
{
    Suite *suite = suite_create("snapshot_cbor");
    TCase *both = tcase_create("both encodings");
    TCase *decode = tcase_create("decode");
    tcase_add_loop_test(both, random_snapshot_is_the_same_through_both_encodings, 0, 10);
    tcase_add_loop_test(both, decode_everything_reads_each_new_part, 0, 2);
    tcase_add_loop_test(both, refused_in_both_encodings_with_the_same_path, 0, (int)COUNT(refused));
    tcase_add_loop_test(both, over_a_limit_is_too_large_in_both_encodings, 0, (int)COUNT(too_many));
    tcase_add_loop_test(both, long_text_and_many_attributes_are_too_large_in_both, 0, 3);
    tcase_add_test(decode, decode_agent_absent_is_unknown);
    tcase_add_loop_test(decode, decode_cut_off_anywhere_is_malformed, 0, 2);
    tcase_add_loop_test(decode, decode_with_any_bit_flipped_is_refused_or_encodes_again, 0, 2);
    tcase_add_test(decode, document_over_the_body_limit_is_too_large);
    tcase_add_loop_test(decode, decode_what_only_cbor_can_say_names_the_member, 0,
                        (int)COUNT(cbor_only));
    tcase_add_test(decode, decode_long_integer_forms_are_the_same_numbers);
    tcase_add_test(decode, decode_something_behind_the_document_is_malformed);
    tcase_add_test(decode, span_tells_where_the_first_document_ends);
    suite_add_tcase(suite, both);
    suite_add_tcase(suite, decode);
    return suite;
}
