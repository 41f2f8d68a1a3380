/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process list: a chain of entries, walked twice. The first walk checks the chain and adds up;
 * the second keeps the largest holders of handles in a heap of bounded size, so that names are
 * converted only for those that are shown.
 */
#include "agent/nt/query.h"
#include "common/limits.h"

#include <inttypes.h>

#define WHAT "the processes"

static const struct nt_question ask_processes = {
    .information_class = NT_CLASS_PROCESSES,
    .what = WHAT,
    .start_bytes = 256u << 10,
    .most_bytes = 64u << 20, /* 10^5 threads take 10 MB */
};

struct holder {
    uint64_t pid;
    uint32_t handles;
    uint32_t offset; /* of its entry */
};

struct chain {
    const struct nt_reader *reader;
    const struct nt_layout *layout;
    const unsigned char *data;
    size_t length;
    size_t count;
    uint64_t handles;
    uint64_t threads;
};

static struct holder read_entry(const struct chain *chain, size_t offset)
{
    const unsigned char *at = chain->data + offset;
    return (struct holder){nt_word(chain->layout, at + chain->layout->processes.pid),
                           nt_u32(at + chain->layout->processes.handles), (uint32_t)offset};
}

/* Offset of the entry behind, SIZE_MAX at the end. Only for entries that check_chain has seen. */
static size_t next_entry(const struct chain *chain, size_t offset)
{
    uint32_t step = nt_u32(chain->data + offset);
    return step == 0 ? SIZE_MAX : offset + step;
}

static enum status check_chain(struct chain *chain, struct err *err)
{
    const size_t entry = chain->layout->processes.entry;
    for (size_t offset = 0; offset != SIZE_MAX; offset = next_entry(chain, offset)) {
        if (offset > chain->length || chain->length - offset < entry)
            return nt_contradiction(err, WHAT, "an entry reaches past its end");
        uint32_t step = nt_u32(chain->data + offset);
        if (step != 0 && step < entry)
            return nt_contradiction(err, WHAT, "entries overlap");
        struct holder holder = read_entry(chain, offset);
        if (holder.pid > UINT32_MAX)
            return nt_contradiction(err, WHAT, "a process id beyond 32 bits");
        chain->count++;
        chain->handles += holder.handles;
        chain->threads += nt_u32(chain->data + offset + chain->layout->processes.threads);
    }
    return ST_OK;
}

/* ---- the largest ------------------------------------------------------------ */

/* Most handles first; among equals the smaller pid. */
static bool before(const struct holder *a, const struct holder *b)
{
    return a->handles != b->handles ? a->handles > b->handles : a->pid < b->pid;
}

static void swap_holders(struct holder *a, struct holder *b)
{
    struct holder keep = *a;
    *a = *b;
    *b = keep;
}

/* heap[0] is the last in order: the one to go next. */
static void sift_down(struct holder *heap, size_t count, size_t at)
{
    for (;;) {
        size_t last = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (before(&heap[last], &heap[child]))
                last = child;
        }
        if (last == at)
            return;
        swap_holders(&heap[at], &heap[last]);
        at = last;
    }
}

static void sift_up(struct holder *heap, size_t at)
{
    while (at > 0 && before(&heap[(at - 1) / 2], &heap[at])) {
        swap_holders(&heap[(at - 1) / 2], &heap[at]);
        at = (at - 1) / 2;
    }
}

/* Fills `heap` with the `room` largest, in order. */
static void pick_largest(const struct chain *chain, struct holder *heap, size_t room)
{
    size_t count = 0;
    for (size_t offset = 0; offset != SIZE_MAX && room > 0; offset = next_entry(chain, offset)) {
        struct holder holder = read_entry(chain, offset);
        if (count < room) {
            heap[count] = holder;
            sift_up(heap, count++);
        } else if (before(&holder, &heap[0])) {
            heap[0] = holder;
            sift_down(heap, count, 0);
        }
    }
    while (count > 1) {
        count--;
        swap_holders(&heap[0], &heap[count]);
        sift_down(heap, count, 0);
    }
}

/* The kernel has no image name for the idle process and its own; other nameless ones are shown by
 * number. NULL when memory is out. */
static const char *image_name(const struct chain *chain, const struct holder *holder,
                              struct arena *arena)
{
    const char *name = NULL;
    char text[32]; /* two brackets, "pid " and 10 digits */
    if (holder->pid == 0)
        return "System Idle Process";
    enum status status = nt_string(chain->reader, &chain->reader->buffer, chain->length,
                                   holder->offset + chain->layout->processes.name, arena, &name);
    if (status == ST_OK)
        return name;
    if (status == ST_NOMEM)
        return NULL;
    if (holder->pid == 4)
        return "System";
    snprintf(text, sizeof text, "[pid %" PRIu64 "]", holder->pid);
    return arena_strdup(arena, text);
}

enum status nt_processes(struct nt_reader *reader, struct arena *arena, size_t most,
                         struct snapshot_totals *totals, struct snapshot_process **ret_processes,
                         size_t *ret_count, struct err *err)
{
    struct chain chain = {.reader = reader, .layout = nt_reader_layout(reader)};
    enum status status = nt_ask(reader, &reader->buffer, &ask_processes, &chain.length, err);
    if (status != ST_OK)
        return status;
    chain.data = reader->buffer.data;
    status = check_chain(&chain, err);
    if (status != ST_OK)
        return status;
    size_t count = chain.count < most ? chain.count : most;
    if (count > LIMIT_PROCESSES)
        count = LIMIT_PROCESSES;
    struct holder *heap = arena_alloc(arena, count, sizeof *heap);
    struct snapshot_process *processes = arena_alloc(arena, count, sizeof *processes);
    if (heap == NULL || processes == NULL)
        return nt_out_of_memory(err, WHAT);
    pick_largest(&chain, heap, count);
    for (size_t i = 0; i < count; i++) {
        const char *image = image_name(&chain, &heap[i], arena);
        if (image == NULL)
            return nt_out_of_memory(err, WHAT);
        processes[i] = (struct snapshot_process){(int64_t)heap[i].pid, image, heap[i].handles};
    }
    /* The idle process counts, as it does in the documented GetPerformanceInfo. */
    totals_set(totals, TOTAL_HANDLES, chain.handles);
    totals_set(totals, TOTAL_PROCESSES, chain.count);
    totals_set(totals, TOTAL_THREADS, chain.threads);
    *ret_processes = processes;
    *ret_count = count;
    return ST_OK;
}
