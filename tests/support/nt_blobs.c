/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/nt_blobs.h"

#include <string.h>

#define WORD_64 uint64_t
#define WORD_32 uint32_t

/* Every structure for one width of a pointer: `w` is the word, `n` its bits. Natural alignment of
 * the 64-bit ones is that of the machine this runs on; sizes are asserted below. */
#define STRUCTURES(w, n)                                                                           \
    struct tag_##n {                                                                               \
        uint32_t tag, paged_allocs, paged_frees;                                                   \
        w paged_used;                                                                              \
        uint32_t nonpaged_allocs, nonpaged_frees;                                                  \
        w nonpaged_used;                                                                           \
    };                                                                                             \
    struct tag2_##n {                                                                              \
        uint32_t tag;                                                                              \
        w paged_allocs, paged_frees, paged_used, nonpaged_allocs, nonpaged_frees, nonpaged_used;   \
    };                                                                                             \
    struct basic_##n {                                                                             \
        uint32_t reserved, timer_resolution, page_size, physical_pages, lowest, highest,           \
            granularity;                                                                           \
        w minimum_user, maximum_user, affinity;                                                    \
        uint8_t processors;                                                                        \
    };                                                                                             \
    struct string_##n {                                                                            \
        uint16_t length, maximum;                                                                  \
        w buffer;                                                                                  \
    };                                                                                             \
    struct process_##n {                                                                           \
        uint32_t next, threads;                                                                    \
        int64_t private_working_set;                                                               \
        uint32_t hard_faults, most_threads;                                                        \
        uint64_t cycles;                                                                           \
        int64_t created, user, kernel;                                                             \
        struct string_##n image;                                                                   \
        int32_t priority;                                                                          \
        w pid, parent;                                                                             \
        uint32_t handles, session;                                                                 \
        w key, peak_virtual, virtual_size;                                                         \
        uint32_t faults;                                                                           \
        w memory[9];                                                                               \
        int64_t io[6];                                                                             \
    };                                                                                             \
    struct module_##n {                                                                            \
        w section, mapped, image;                                                                  \
        uint32_t image_size, flags;                                                                \
        uint16_t load_order, init_order, load_count, name_offset;                                  \
        char path[256];                                                                            \
    };                                                                                             \
    struct module_ex_##n {                                                                         \
        uint16_t next;                                                                             \
        struct module_##n base;                                                                    \
        uint32_t checksum, stamp;                                                                  \
        w default_base;                                                                            \
    };                                                                                             \
    struct handle_##n {                                                                            \
        w object, pid, handle;                                                                     \
        uint32_t access;                                                                           \
        uint16_t trace, type;                                                                      \
        uint32_t attributes, reserved;                                                             \
    };                                                                                             \
    struct big_##n {                                                                               \
        w address, bytes;                                                                          \
        uint32_t tag;                                                                              \
    };                                                                                             \
    struct session_##n {                                                                           \
        w next;                                                                                    \
        uint32_t id, count;                                                                        \
    };                                                                                             \
    struct type_##n {                                                                              \
        struct string_##n name;                                                                    \
        uint32_t objects, handles, dead[4], high_objects, high_handles, dead2[4], attributes,      \
            mapping[4], access;                                                                    \
        uint8_t security, maintain, index, reserved;                                               \
        uint32_t pool_type, paged, nonpaged;                                                       \
    };

STRUCTURES(WORD_64, 64)
/* On a 64-bit machine, 8-byte fields are as aligned as on 32-bit Windows: to 8. */
STRUCTURES(WORD_32, 32)

#define SIZES(name, s32, s64)                                                                      \
    _Static_assert(sizeof(struct name##_32) == (s32), #name " x86");                               \
    _Static_assert(sizeof(struct name##_64) == (s64), #name " x64")
SIZES(tag, 0x1c, 0x28);
SIZES(tag2, 0x1c, 0x38);
SIZES(basic, 0x2c, 0x40);
SIZES(process, 0xb8, 0x100);
SIZES(module, 0x11c, 0x128);
SIZES(module_ex, 0x12c, 0x140);
SIZES(handle, 0x1c, 0x28);
SIZES(big, 0x0c, 0x18);
SIZES(session, 0x0c, 0x10);
SIZES(type, 0x60, 0x68);

/* A head of one u32 in front of an array that is aligned to a word. */
static void head(struct strbuf *out, enum nt_arch arch, size_t count)
{
    uint32_t words[2] = {(uint32_t)count, 0};
    strbuf_add(out, words, arch == NT_X64 ? 8 : 4);
}

static void utf16(const char *text, uint16_t *units)
{
    for (size_t i = 0; i < 63 && text[i] != '\0'; i++)
        units[i] = (unsigned char)text[i];
}

/* ---- the makers, once for each width ---------------------------------------- */

#define MAKERS(w, n, marker)                                                                       \
    static void tags_##n(struct strbuf *out, const struct blob_tag *tags, size_t count)            \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            const struct blob_tag *t = &tags[i];                                                   \
            struct tag_##n row;                                                                    \
            memset(&row, 0, sizeof row); /* padding is the same in every run */                    \
            row.tag = t->tag;                                                                      \
            row.paged_allocs = (uint32_t)t->allocs[1];                                             \
            row.paged_frees = (uint32_t)t->frees[1];                                               \
            row.paged_used = (w)t->used[1];                                                        \
            row.nonpaged_allocs = (uint32_t)t->allocs[0];                                          \
            row.nonpaged_frees = (uint32_t)t->frees[0];                                            \
            row.nonpaged_used = (w)t->used[0];                                                     \
            strbuf_add(out, &row, sizeof row);                                                     \
        }                                                                                          \
    }                                                                                              \
    static void tags2_##n(struct strbuf *out, const struct blob_tag *tags, size_t count)           \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            const struct blob_tag *t = &tags[i];                                                   \
            struct tag2_##n row;                                                                   \
            memset(&row, 0, sizeof row);                                                           \
            row.tag = t->tag;                                                                      \
            row.paged_allocs = (w)t->allocs[1];                                                    \
            row.paged_frees = (w)t->frees[1];                                                      \
            row.paged_used = (w)t->used[1];                                                        \
            row.nonpaged_allocs = (w)t->allocs[0];                                                 \
            row.nonpaged_frees = (w)t->frees[0];                                                   \
            row.nonpaged_used = (w)t->used[0];                                                     \
            strbuf_add(out, &row, sizeof row);                                                     \
        }                                                                                          \
    }                                                                                              \
    static void basic_##n(struct strbuf *out, uint32_t page_bytes, uint32_t pages)                 \
    {                                                                                              \
        struct basic_##n b;                                                                        \
        memset(&b, 0, sizeof b);                                                                   \
        b.timer_resolution = 156250;                                                               \
        b.page_size = page_bytes;                                                                  \
        b.physical_pages = pages;                                                                  \
        b.granularity = 65536;                                                                     \
        b.maximum_user = (w)0x7ffeffff;                                                            \
        b.processors = 8;                                                                          \
        strbuf_add(out, &b, sizeof b);                                                             \
    }                                                                                              \
    static void process_##n(struct strbuf *out, uint64_t base, const struct blob_process *p,       \
                            bool last)                                                             \
    {                                                                                              \
        struct process_##n e;                                                                      \
        memset(&e, 0, sizeof e);                                                                   \
        uint16_t name[64] = {0};                                                                   \
        unsigned char threads[0x50];                                                               \
        size_t thread_bytes = (n) == 64 ? 0x50 : 0x40;                                             \
        size_t at = out->length;                                                                   \
        size_t chars = p->image != NULL ? strnlen(p->image, 63) : 0;                               \
        size_t name_bytes = (chars * 2 + 2 + 7) & ~(size_t)7;                                      \
        if (chars > 0)                                                                             \
            utf16(p->image, name);                                                                 \
        memset(threads, 0, sizeof threads);                                                        \
        w start = (w)(marker);                                                                     \
        memcpy(threads + 0x20, &start, sizeof start);                                              \
        e.threads = p->threads;                                                                    \
        e.next = last ? 0 : (uint32_t)(sizeof e + p->threads * thread_bytes + name_bytes);         \
        e.priority = 8;                                                                            \
        e.pid = (w)p->pid;                                                                         \
        e.key = (w)(marker);                                                                       \
        e.handles = p->handles;                                                                    \
        e.image.length = (uint16_t)(chars * 2);                                                    \
        e.image.maximum = (uint16_t)(chars > 0 ? chars * 2 + 2 : 0);                               \
        if (chars > 0)                                                                             \
            e.image.buffer = (w)(base + at + sizeof e + p->threads * thread_bytes);                \
        strbuf_add(out, &e, sizeof e);                                                             \
        for (uint32_t i = 0; i < p->threads; i++)                                                  \
            strbuf_add(out, threads, thread_bytes);                                                \
        strbuf_add(out, name, name_bytes);                                                         \
    }                                                                                              \
    static void type_##n(struct strbuf *out, uint64_t base, const struct blob_type *t)             \
    {                                                                                              \
        struct type_##n e;                                                                         \
        memset(&e, 0, sizeof e);                                                                   \
        uint16_t name[64] = {0};                                                                   \
        size_t at = out->length;                                                                   \
        size_t chars = strnlen(t->name, 63);                                                       \
        utf16(t->name, name);                                                                      \
        e.name.length = (uint16_t)(chars * 2);                                                     \
        e.name.maximum = (uint16_t)(chars * 2 + 2);                                                \
        e.name.buffer = (w)(base + at + sizeof e);                                                 \
        e.objects = t->objects;                                                                    \
        e.handles = t->handles;                                                                    \
        e.index = (uint8_t)t->index;                                                               \
        strbuf_add(out, &e, sizeof e);                                                             \
        size_t mask = sizeof(w) - 1;                                                               \
        strbuf_add(out, name, (e.name.maximum + mask) & ~mask);                                    \
    }                                                                                              \
    static struct module_##n module_##n(const struct blob_module *m, size_t place)                 \
    {                                                                                              \
        struct module_##n e;                                                                       \
        memset(&e, 0, sizeof e);                                                                   \
        const char *slash = strrchr(m->path, '\\');                                                \
        e.image = (w)(marker);                                                                     \
        e.mapped = (w)(marker);                                                                    \
        e.image_size = m->image_bytes;                                                             \
        e.load_order = (uint16_t)place;                                                            \
        e.name_offset = (uint16_t)(slash != NULL ? slash + 1 - m->path : 0);                       \
        memcpy(e.path, m->path, strnlen(m->path, sizeof e.path));                                  \
        return e;                                                                                  \
    }                                                                                              \
    static void modules_##n(struct strbuf *out, const struct blob_module *m, size_t count)         \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            struct module_##n e = module_##n(&m[i], i);                                            \
            strbuf_add(out, &e, sizeof e);                                                         \
        }                                                                                          \
    }                                                                                              \
    static void modules_ex_##n(struct strbuf *out, const struct blob_module *m, size_t count)      \
    {                                                                                              \
        static const uint16_t end = 0;                                                             \
        for (size_t i = 0; i < count; i++) {                                                       \
            struct module_ex_##n e;                                                                \
            memset(&e, 0, sizeof e);                                                               \
            e.next = sizeof e;                                                                     \
            e.base = module_##n(&m[i], i);                                                         \
            e.checksum = m[i].checksum;                                                            \
            e.stamp = m[i].stamp;                                                                  \
            e.default_base = (w)(marker);                                                          \
            strbuf_add(out, &e, sizeof e);                                                         \
        }                                                                                          \
        strbuf_add(out, &end, sizeof end);                                                         \
    }                                                                                              \
    static void handles_##n(struct strbuf *out, const struct blob_handle *h, size_t count)         \
    {                                                                                              \
        w words[2] = {(w)count, 0};                                                                \
        strbuf_add(out, words, sizeof words);                                                      \
        for (size_t i = 0; i < count; i++) {                                                       \
            struct handle_##n e = {.object = (w)(marker),                                          \
                                   .pid = (w)h[i].pid,                                             \
                                   .handle = (w)(4 * i + 4),                                       \
                                   .access = 0x1f0003,                                             \
                                   .type = h[i].type_index};                                       \
            strbuf_add(out, &e, sizeof e);                                                         \
        }                                                                                          \
    }                                                                                              \
    static void big_##n(struct strbuf *out, const struct blob_big *b, size_t count)                \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            struct big_##n e;                                                                      \
            memset(&e, 0, sizeof e);                                                               \
            e.address = (w)(marker);                                                               \
            e.bytes = (w)b[i].bytes;                                                               \
            e.tag = b[i].tag;                                                                      \
            strbuf_add(out, &e, sizeof e);                                                         \
        }                                                                                          \
    }                                                                                              \
    static void sessions_##n(struct strbuf *out, const struct blob_session *s, size_t count)       \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            struct session_##n e = {0, s[i].id, (uint32_t)s[i].count};                             \
            if (i + 1 < count)                                                                     \
                e.next = (w)(sizeof e + s[i].count * sizeof(struct tag_##n));                      \
            strbuf_add(out, &e, sizeof e);                                                         \
            tags_##n(out, s[i].tags, s[i].count);                                                  \
        }                                                                                          \
    }

MAKERS(uint64_t, 64, BLOB_ADDRESS_64)
MAKERS(uint32_t, 32, BLOB_ADDRESS_32)

/* ---- by architecture -------------------------------------------------------- */

#define BY_ARCH(arch, name, ...)                                                                   \
    do {                                                                                           \
        if ((arch) == NT_X64)                                                                      \
            name##_64(__VA_ARGS__);                                                                \
        else                                                                                       \
            name##_32(__VA_ARGS__);                                                                \
    } while (0)

void blob_tags(struct strbuf *out, enum nt_arch arch, const struct blob_tag *tags, size_t count)
{
    head(out, arch, count);
    BY_ARCH(arch, tags, out, tags, count);
}

void blob_tags2(struct strbuf *out, enum nt_arch arch, const struct blob_tag *tags, size_t count)
{
    head(out, arch, count);
    BY_ARCH(arch, tags2, out, tags, count);
}

void blob_basic(struct strbuf *out, enum nt_arch arch, uint32_t page_bytes, uint32_t pages)
{
    BY_ARCH(arch, basic, out, page_bytes, pages);
}

void blob_performance(struct strbuf *out, const struct blob_performance *figures, size_t length)
{
    uint32_t words[0x400 / 4] = {0};
    words[0x2c / 4] = figures->available;
    words[0x30 / 4] = figures->committed;
    words[0x34 / 4] = figures->commit_limit;
    words[0x38 / 4] = figures->committed;
    words[0x70 / 4] = figures->paged;
    words[0x74 / 4] = figures->nonpaged;
    strbuf_add(out, words, length < sizeof words ? length : sizeof words);
}

void blob_time(struct strbuf *out, int64_t boot, int64_t now, int64_t boot_bias)
{
    struct {
        int64_t boot, now, zone_bias;
        uint32_t zone, reserved;
        int64_t boot_bias, sleep_bias;
    } t = {boot, now, 0, 0, 0, boot_bias, 0};
    _Static_assert(sizeof t == 0x30, "class 3");
    strbuf_add(out, &t, sizeof t);
}

void blob_processes(struct strbuf *out, enum nt_arch arch, uint64_t base,
                    const struct blob_process *processes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        BY_ARCH(arch, process, out, base, &processes[i], i + 1 == count);
}

void blob_types(struct strbuf *out, enum nt_arch arch, uint64_t base, const struct blob_type *types,
                size_t count)
{
    head(out, arch, count);
    for (size_t i = 0; i < count; i++)
        BY_ARCH(arch, type, out, base, &types[i]);
}

void blob_modules(struct strbuf *out, enum nt_arch arch, const struct blob_module *modules,
                  size_t count)
{
    head(out, arch, count);
    BY_ARCH(arch, modules, out, modules, count);
}

void blob_modules_ex(struct strbuf *out, enum nt_arch arch, const struct blob_module *modules,
                     size_t count)
{
    BY_ARCH(arch, modules_ex, out, modules, count);
}

void blob_handles(struct strbuf *out, enum nt_arch arch, const struct blob_handle *handles,
                  size_t count)
{
    BY_ARCH(arch, handles, out, handles, count);
}

void blob_big(struct strbuf *out, enum nt_arch arch, const struct blob_big *blocks, size_t count)
{
    head(out, arch, count);
    BY_ARCH(arch, big, out, blocks, count);
}

void blob_sessions(struct strbuf *out, enum nt_arch arch, const struct blob_session *sessions,
                   size_t count)
{
    BY_ARCH(arch, sessions, out, sessions, count);
}
