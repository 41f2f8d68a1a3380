/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is loaded into the kernel: class 77 (with link stamps), else 11. Names and sizes only; the
 * bases that stand beside them are never read.
 */
#include "agent/nt/query.h"
#include "common/limits.h"

#include <string.h>

#define WHAT       "the loaded drivers"
#define PATH_BYTES 256u

static const struct nt_question ask_modules_ex = {
    .information_class = NT_CLASS_MODULES_EX,
    .what = WHAT,
    .start_bytes = 128u << 10,
    .most_bytes = 4u << 20,
    .version = 600,
};

static const struct nt_question ask_modules = {
    .information_class = NT_CLASS_MODULES,
    .what = WHAT,
    .start_bytes = 128u << 10,
    .most_bytes = 4u << 20,
};

/* Modules made so far, with a table of their names: each name stands once. */
struct module_list {
    struct arena *arena;
    const struct nt_layout *layout;
    struct nt_module *modules;
    size_t count;
    size_t room;
    uint32_t *slots; /* place + 1; 0: free */
    size_t slot_mask;
};

static enum status list_open(struct module_list *list, size_t room, struct err *err)
{
    size_t slots = 16;
    list->room = room < LIMIT_DRIVERS ? room : LIMIT_DRIVERS;
    while (slots < 2 * list->room)
        slots *= 2;
    list->slot_mask = slots - 1;
    list->slots = arena_alloc(list->arena, slots, sizeof *list->slots);
    list->modules = arena_alloc(list->arena, list->room, sizeof *list->modules);
    return list->slots != NULL && list->modules != NULL ? ST_OK : nt_out_of_memory(err, WHAT);
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* File names have no case; ours are mostly ASCII. */
static bool same_name(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

/* Notes a name; false when it stands in the list already. */
static bool is_new(struct module_list *list, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = name; *c != '\0'; c++)
        hash = (hash ^ lower(*c)) * 16777619u;
    size_t slot = hash & list->slot_mask;
    for (; list->slots[slot] != 0; slot = (slot + 1) & list->slot_mask) {
        if (same_name(list->modules[list->slots[slot] - 1].name, name))
            return false;
    }
    list->slots[slot] = (uint32_t)list->count + 1;
    return true;
}

/* `at`: an entry of class 11. A module without a name is left out. */
static enum status add(struct module_list *list, const unsigned char *at, struct nt_module *module,
                       struct err *err)
{
    module->path = nt_ansi(list->arena, at + list->layout->modules.path, PATH_BYTES);
    if (module->path == NULL)
        return nt_out_of_memory(err, WHAT);
    const char *slash = strrchr(module->path, '\\');
    module->name = slash != NULL ? slash + 1 : module->path;
    module->image_bytes = nt_u32(at + list->layout->modules.image_bytes);
    if (*module->name != '\0' && list->count < list->room && is_new(list, module->name))
        list->modules[list->count++] = *module;
    return ST_OK;
}

/* A chain that ends with an offset of 0: in an entry of its own, or in the last module's. */
static enum status read_ex(struct nt_reader *reader, struct module_list *list, size_t length,
                           struct err *err)
{
    const struct nt_layout *layout = list->layout;
    const unsigned char *data = reader->buffer.data;
    enum status status = list_open(list, length / layout->modules.ex_bytes, err);
    size_t offset = 0;
    uint16_t step = 1;
    while (status == ST_OK && step != 0) {
        if (offset > length || length - offset < 2)
            return nt_contradiction(err, WHAT, "an entry reaches past its end");
        const unsigned char *at = data + offset;
        step = nt_u16(at);
        if (length - offset < layout->modules.ex_bytes) {
            if (step == 0)
                break;
            return nt_contradiction(err, WHAT, "an entry reaches past its end");
        }
        if (step != 0 && step < layout->modules.ex_bytes)
            return nt_contradiction(err, WHAT, "entries overlap");
        struct nt_module module = {.has_stamp = true,
                                   .stamp = nt_u32(at + layout->modules.ex_stamp),
                                   .checksum = nt_u32(at + layout->modules.ex_checksum)};
        status = add(list, at + layout->modules.ex_base, &module, err);
        offset += step;
    }
    return status;
}

static enum status read_plain(struct nt_reader *reader, struct module_list *list, size_t length,
                              struct err *err)
{
    const struct nt_layout *layout = list->layout;
    const unsigned char *data = reader->buffer.data;
    if (length < layout->modules.first)
        return nt_contradiction(err, WHAT, "it is shorter than its own head");
    size_t count = nt_u32(data);
    if (count > (length - layout->modules.first) / layout->modules.stride)
        return nt_contradiction(err, WHAT, "it holds fewer rows than it counts");
    enum status status = list_open(list, count, err);
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        struct nt_module module = {0};
        status = add(list, data + layout->modules.first + i * layout->modules.stride, &module, err);
    }
    return status;
}

enum status nt_modules(struct nt_reader *reader, struct arena *arena,
                       struct nt_module **ret_modules, size_t *ret_count, struct err *err)
{
    struct module_list list = {.arena = arena, .layout = nt_reader_layout(reader)};
    size_t length = 0;
    enum status status = nt_ask(reader, &reader->buffer, &ask_modules_ex, &length, err);
    if (status == ST_OK)
        status = read_ex(reader, &list, length, err);
    if (status != ST_OK && status != ST_NOMEM) {
        list = (struct module_list){.arena = arena, .layout = nt_reader_layout(reader)};
        status = nt_ask(reader, &reader->buffer, &ask_modules, &length, err);
        if (status == ST_OK)
            status = read_plain(reader, &list, length, err);
    }
    if (status != ST_OK)
        return status;
    *ret_modules = list.modules;
    *ret_count = list.count;
    return ST_OK;
}
