/* SPDX-License-Identifier: Apache-2.0 */
/* A sealed chunk of version 2 from a hostile disk: a head with right checksums is made around what
 * the input says of snapshots, keys and groups, else nothing would get behind them. What reads by
 * table must read the same by series, whole and group alone, and again after it was written anew.
 */
#include "server/chunk/sealed.h"
#include "server/chunk/sealed_form.h"
#include "server/chunk/varint.h"

#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static unsigned byte_of(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static struct input piece(struct input *in, size_t length)
{
    struct input out = {in->at, length < in->left ? length : in->left};
    in->at += out.left;
    in->left -= out.left;
    return out;
}

static void number(struct strbuf *out, uint64_t value)
{
    unsigned char bytes[VARINT_MAX];
    strbuf_add(out, bytes, (size_t)(put_varint(bytes, value) - bytes));
}

static void crc(struct strbuf *out, const void *data, size_t length)
{
    uint32_t sum = (uint32_t)crc32_z(0, data, length);
    unsigned char bytes[4] = {(unsigned char)sum, (unsigned char)(sum >> 8),
                              (unsigned char)(sum >> 16), (unsigned char)(sum >> 24)};
    strbuf_add(out, bytes, sizeof bytes);
}

static void part(struct input *in, struct strbuf *head, struct strbuf *body)
{
    unsigned what = byte_of(in), groups = byte_of(in) % 5;
    number(head, what);
    if ((what & PART_PRESENT) == 0)
        return;
    number(head, groups);
    for (unsigned g = 0; g < groups; g++) {
        number(head, byte_of(in));
        unsigned length = byte_of(in);
        struct input bits = piece(in, length | byte_of(in) << 8);
        number(head, bits.left);
        crc(head, bits.at, bits.left);
        strbuf_add(body, bits.at, bits.left);
    }
}

static void chunk_of(struct input *in, struct strbuf *out)
{
    struct strbuf head = STRBUF_INIT, body = STRBUF_INIT;
    unsigned count = byte_of(in), runs = byte_of(in) % 4;
    struct input keys = piece(in, byte_of(in));
    number(&head, 2);
    number(&head, count);
    number(&head, keys.left);
    strbuf_add(&head, keys.at, keys.left);
    number(&head, 0);
    number(&head, 0);
    crc(&head, NULL, 0);
    number(&head, runs);
    for (unsigned r = 0; r < runs; r++) {
        number(&head, byte_of(in));
        part(in, &head, &body);
        part(in, &head, &body);
    }
    strbuf_add(out, SEALED_MAGIC_2, 4);
    number(out, head.length);
    strbuf_add(out, head.data, head.length);
    crc(out, out->data, out->length);
    strbuf_add(out, body.data == NULL ? "" : body.data, body.length);
    strbuf_done(&head);
    strbuf_done(&body);
}

/* A row of a table is the same as a series, read from all and from its group alone. */
static void check_row(const struct strbuf *chunk, const struct sealed *sealed,
                      const struct sealed_slices *slices, enum pool pool, size_t index,
                      const struct snapshot_table *table, size_t row)
{
    static struct sealed_value values[SEALED_SNAPSHOTS_MAX], alone[SEALED_SNAPSHOTS_MAX];
    struct sealed *group = NULL;
    uint32_t tag = table->tag[row];
    if (sealed_series(sealed, pool, tag, values, NULL) != ST_OK ||
        values[index].known != snapshot_table_columns(table) ||
        (table->bytes != NULL && values[index].bytes != table->bytes[row]) ||
        (table->allocs != NULL && values[index].allocs != table->allocs[row]) ||
        (table->frees != NULL && values[index].frees != table->frees[row]))
        abort();
    size_t g = 0;
    while (g + 1 < slices->count && slices->keys[g + 1] <= sealed_slice_key(pool, tag))
        g++;
    if (slices->count == 0)
        return;
    if (sealed_open_group(chunk->data, slices->head_length, g,
                          chunk->data + slices->head_length + slices->ends[g],
                          (size_t)(slices->ends[g + 1] - slices->ends[g]), &group, NULL) != ST_OK ||
        sealed_series(group, pool, tag, alone, NULL) != ST_OK ||
        alone[index].known != values[index].known || alone[index].bytes != values[index].bytes)
        abort();
    sealed_free(group);
}

/* False: some table is malformed. */
static bool check_tables(const struct strbuf *chunk, struct sealed *sealed,
                         struct sealed_builder *builder)
{
    struct sealed_slices slices = {0};
    bool fine = builder != NULL;
    if (sealed_slices(chunk->data, chunk->length, &slices, NULL) != ST_OK)
        abort();
    for (size_t i = 0; fine && i < sealed_count(sealed); i++) {
        struct arena arena = {0};
        struct snapshot_table table[POOL_COUNT];
        const struct sealed_snapshot *s = sealed_at(sealed, i);
        if (s->raw != NULL || sealed_tables(sealed, i, &arena, table, NULL) != ST_OK ||
            sealed_add(builder, s, table, NULL) != ST_OK)
            fine = false;
        arena_done(&arena);
    }
    for (size_t i = 0; fine && i < sealed_count(sealed); i++) {
        struct arena arena = {0};
        struct snapshot_table table[POOL_COUNT];
        if (sealed_tables(sealed, i, &arena, table, NULL) != ST_OK)
            abort();
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            if (table[pool].present && table[pool].count > 0)
                check_row(chunk, sealed, &slices, (enum pool)pool, i, &table[pool],
                          i % table[pool].count);
        }
        arena_done(&arena);
    }
    sealed_slices_done(&slices);
    return fine;
}

/* All of it says the same after it was written by us. */
static void check_again(struct sealed *sealed, struct sealed_builder *builder)
{
    struct strbuf out = STRBUF_INIT;
    struct sealed *again = NULL;
    if (sealed_finish(builder, &out, NULL) != ST_OK ||
        sealed_open(out.data, out.length, &again, NULL) != ST_OK ||
        sealed_count(again) != sealed_count(sealed))
        abort();
    for (size_t i = 0; i < sealed_count(sealed); i++) {
        struct arena arena = {0};
        struct snapshot_table a[POOL_COUNT], b[POOL_COUNT];
        const struct sealed_snapshot *x = sealed_at(sealed, i), *y = sealed_at(again, i);
        if (sealed_tables(sealed, i, &arena, a, NULL) != ST_OK ||
            sealed_tables(again, i, &arena, b, NULL) != ST_OK || x->taken_at_us != y->taken_at_us ||
            x->sequence != y->sequence || x->base != y->base)
            abort();
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            size_t n = a[pool].count;
            if (a[pool].present != b[pool].present || n != b[pool].count ||
                (n > 0 &&
                 (memcmp(a[pool].tag, b[pool].tag, n * 4) != 0 ||
                  (a[pool].bytes != NULL && memcmp(a[pool].bytes, b[pool].bytes, n * 8) != 0))))
                abort();
        }
        arena_done(&arena);
    }
    sealed_free(again);
    strbuf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct strbuf chunk = STRBUF_INIT;
    struct sealed *sealed = NULL;
    if (size > 1 << 16)
        return 0;
    chunk_of(&in, &chunk);
    if (sealed_open(chunk.data, chunk.length, &sealed, NULL) == ST_OK) {
        struct sealed_builder *builder = sealed_builder_new(sealed_boot_at_us(sealed));
        if (check_tables(&chunk, sealed, builder))
            check_again(sealed, builder);
        sealed_builder_free(builder);
    }
    sealed_free(sealed);
    strbuf_done(&chunk);
    return 0;
}
