/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the kernel's answer. The first byte chooses the reader, the second the architecture,
 * the version and the manner towards small buffers, the rest is the answer. What lies in the buffer
 * behind the answer may not be read.
 */
#include "agent/nt/nt.h"
#include "common/limits.h"
#include "common/utf8.h"

#include <sanitizer/asan_interface.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

#define BASE        0x20000000u
#define MEMORY_MOST (300u << 20)

struct input {
    const uint8_t *data;
    uint32_t size;
    uint8_t manner;
};

static int32_t give(const struct input *input, void *buffer, uint32_t length, uint32_t *ret_length,
                    bool guarded)
{
    static const uint32_t tells[] = {0, 0x30, UINT32_MAX};
    CHECK(length <= MEMORY_MOST);
    ASAN_UNPOISON_MEMORY_REGION(buffer, length);
    if (length < input->size) {
        unsigned manner = input->manner & 3;
        *ret_length = manner == 3 ? input->size : tells[manner];
        return input->manner & 4 ? NT_BUFFER_TOO_SMALL : NT_INFO_LENGTH_MISMATCH;
    }
    memcpy(buffer, input->data, input->size);
    if (guarded)
        ASAN_POISON_MEMORY_REGION((uint8_t *)buffer + input->size, length - input->size);
    *ret_length = input->size;
    return NT_SUCCESS_STATUS;
}

static int32_t query_system(void *arg, uint32_t information_class, void *buffer, uint32_t length,
                            uint32_t *ret_length)
{
    return give(arg, buffer, length, ret_length, information_class > 3);
}

static int32_t query_object_types(void *arg, void *buffer, uint32_t length, uint32_t *ret_length)
{
    return give(arg, buffer, length, ret_length, false);
}

static uint64_t buffer_address(void *arg, const void *buffer)
{
    (void)arg;
    (void)buffer;
    return BASE;
}

static void check_text(const char *text)
{
    size_t length = strlen(text);
    CHECK(length > 0 && length <= LIMIT_TEXT_BYTES && utf8_valid(text, length));
}

/* ---- readers ---------------------------------------------------------------- */

static enum status read_tags(struct nt_reader *reader, struct arena *arena, struct err *err)
{
    struct snapshot_table table[POOL_COUNT];
    enum status status = nt_pool_tags(reader, arena, table, err);
    for (unsigned pool = 0; pool < POOL_COUNT && status == ST_OK; pool++) {
        CHECK(table[pool].present && table[pool].count <= LIMIT_TABLE_ROWS);
        for (size_t i = 0; i < table[pool].count; i++) {
            CHECK(i == 0 || table[pool].tag[i - 1] < table[pool].tag[i]);
            CHECK((table[pool].tag[i] & TAG_PROTECTED) == 0);
            CHECK(table[pool].bytes[i] <= LIMIT_NUMBER_MAX);
        }
    }
    return status;
}

static enum status read_totals(struct nt_reader *reader, struct arena *arena, struct err *err)
{
    struct snapshot_totals totals = {0};
    (void)arena;
    enum status status = nt_totals(reader, &totals, err);
    for (unsigned i = 0; i < TOTAL_COUNT; i++)
        CHECK(!totals_has(&totals, (enum total)i) || totals.value[i] <= LIMIT_NUMBER_MAX);
    return status;
}

static enum status read_clocks(struct nt_reader *reader, struct arena *arena, struct err *err)
{
    struct nt_clocks clocks;
    (void)arena;
    enum status status = nt_clocks(reader, &clocks, err);
    CHECK(status != ST_OK || (clocks.boot_at_us >= 0 && clocks.uptime_us >= 0));
    return status;
}

static enum status read_processes(struct nt_reader *reader, struct arena *arena, struct err *err)
{
    struct snapshot_totals totals = {0};
    struct snapshot_process *processes;
    size_t count;
    enum status status = nt_processes(reader, arena, 20, &totals, &processes, &count, err);
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        check_text(processes[i].image);
        CHECK(i == 0 || processes[i - 1].handles >= processes[i].handles);
    }
    return status;
}

static enum status read_types(struct nt_reader *reader, struct arena *arena, struct err *err)
{
    struct snapshot_object *objects;
    const char **names;
    size_t count;
    enum status status = nt_object_types(reader, arena, &objects, &count, err);
    for (size_t i = 0; status == ST_OK && i < count; i++)
        check_text(objects[i].type);
    CHECK(nt_type_names(reader, arena, &names, &count, NULL) == status);
    return status;
}

static enum status read_handles(struct nt_reader *reader, struct arena *arena, struct err *err)
{
    struct nt_handle_count *counts;
    size_t count;
    return nt_handles(reader, arena, 4, &counts, &count, err);
}

static enum status read_modules(struct nt_reader *reader, struct arena *arena, struct err *err)
{
    struct nt_module *modules;
    size_t count;
    enum status status = nt_modules(reader, arena, &modules, &count, err);
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        check_text(modules[i].path);
        check_text(modules[i].name);
    }
    return status;
}

static enum status read_blocks(struct nt_reader *reader, struct arena *arena, struct err *err)
{
    static const uint32_t tags[] = {0x6b61654c, 0, 0x41414141};
    struct snapshot_blocks *blocks;
    size_t count;
    return nt_big_blocks(reader, arena, tags, 3, &blocks, &count, err);
}

static enum status read_sessions(struct nt_reader *reader, struct arena *arena, struct err *err)
{
    struct snapshot_session *sessions;
    size_t count;
    enum status status = nt_sessions(reader, arena, &sessions, &count, err);
    for (size_t i = 0; status == ST_OK && i < count; i++)
        CHECK(sessions[i].paged_bytes >= 0 && sessions[i].paged_bytes <= (int64_t)LIMIT_NUMBER_MAX);
    return status;
}

static enum status (*const readers[])(struct nt_reader *, struct arena *, struct err *) = {
    read_tags,    read_totals,  read_clocks, read_processes, read_types,
    read_handles, read_modules, read_blocks, read_sessions,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct nt_reader reader;
    if (size < 2 || size > 1u << 20)
        return 0;
    struct input input = {data + 2, (uint32_t)size - 2, data[1] >> 3};
    struct nt_calls calls = {.arg = &input,
                             .version = {.major = 10, .build = data[1] & 2 ? 28000 : 19045},
                             .query_system = query_system,
                             .query_object_types = query_object_types,
                             .buffer_address = buffer_address};
    calls.version.arch = data[1] & 1 ? NT_X64 : NT_X86;
    if (data[1] & 4)
        calls.version =
            (struct nt_version){.major = 6, .minor = 1, .build = 7601, .arch = calls.version.arch};
    nt_reader_init(&reader, &calls);
    enum status status =
        readers[data[0] % (sizeof readers / sizeof *readers)](&reader, &arena, &err);
    CHECK(status == ST_OK || err.message[0] != '\0');
    CHECK(reader.buffer.capacity <= 64u << 20 && reader.scratch.capacity <= 2u << 20);
    nt_reader_done(&reader);
    return 0;
}
