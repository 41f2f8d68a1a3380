/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a folder of made kernel answers for the agent's Replay setting: a plausible host in which
 * one tag grows from step to step. For Wine, the demo and tests; whatever is made of it says that
 * it is simulated. The same seed gives the same bytes.
 *
 *   make_replay FOLDER [--steps N] [--leak Leak] [--arch x64|x86] [--seed N] [--tags pooltags.tsv]
 *               [--driver name.sys=STAMP]...
 */
#include "agent/nt/nt.h"
#include "common/strbuf.h"
#include "tests/support/nt_blobs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define TAGS_TOTAL    2500
#define MODULES_TOTAL 180
#define DRIVERS_MAX   32
#define PROCESSES     120
#define TYPES         60
#define BLOCKS_BASE   3000
#define STEPS_MAX     1000
#define NAME_BYTES    64
#define PATH_BYTES    256
#define PAGE_BYTES    4096u
#define MIB           ((uint64_t)1 << 20)
#define GIB           ((uint64_t)1 << 30)
#define LEAK_PER_STEP 384u /* 24 MiB a step on x64: seen within an hour */
#define LEAK_AT_FIRST 800u

struct options {
    const char *folder;
    const char *tags;
    const char *driver[DRIVERS_MAX]; /* "name.sys=stamp" */
    size_t driver_count;
    unsigned steps;
    uint32_t leak;
    enum nt_arch arch;
    uint64_t seed;
};

struct host {
    struct options options;
    struct blob_tag tags[TAGS_TOTAL];
    uint64_t rate[TAGS_TOTAL]; /* allocations a step */
    size_t tag_count;
    struct blob_module modules[MODULES_TOTAL];
    char paths[MODULES_TOTAL][PATH_BYTES];
    size_t module_count;
    struct blob_process processes[PROCESSES];
    struct blob_type types[TYPES];
    struct blob_big blocks[BLOCKS_BASE + LEAK_AT_FIRST + LEAK_PER_STEP * STEPS_MAX];
    uint64_t random;
};

/* One block that leaks: big blocks, and 2 GB of x86 must hold many steps. */
static uint64_t leak_bytes(const struct host *host)
{
    return host->options.arch == NT_X64 ? 65536 : 4096;
}

static uint64_t rnd(struct host *host) /* splitmix64 */
{
    uint64_t z = (host->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t below(struct host *host, uint64_t most)
{
    return rnd(host) % most;
}

/* ---- tags and drivers of the list ------------------------------------------- */

/* Few tags are large and most are small, as on real hosts: sizes over six powers of ten. */
static void add_tag(struct host *host, uint32_t tag)
{
    static const uint64_t sizes[] = {32, 48, 64, 96, 128, 256, 512, 1024, 4096};
    if (host->tag_count == TAGS_TOTAL)
        return;
    for (size_t i = 0; i < host->tag_count; i++) {
        if (host->tags[i].tag == tag)
            return;
    }
    struct blob_tag *t = &host->tags[host->tag_count];
    unsigned pool = below(host, 10) < 4;
    uint64_t live = (uint64_t)1 << below(host, 6);
    live = below(host, 4) == 0 ? live * (1 + below(host, 400)) : live;
    uint64_t size = sizes[below(host, sizeof sizes / sizeof *sizes)];
    t->tag = tag;
    host->rate[host->tag_count] = below(host, 5) == 0 ? below(host, 4000) : 0;
    t->frees[pool] = below(host, 8) == 0 ? rnd(host) >> 33 : below(host, 5000);
    t->allocs[pool] = t->frees[pool] + live;
    t->used[pool] = live * size;
    if (below(host, 12) == 0) {
        t->allocs[1 - pool] = 1 + below(host, 90);
        t->used[1 - pool] = t->allocs[1 - pool] * size;
    }
    host->tag_count++;
}

static void add_module(struct host *host, const char *folder, const char *name, uint32_t stamp)
{
    size_t at = host->module_count;
    if (at == MODULES_TOTAL)
        return;
    snprintf(host->paths[at], PATH_BYTES, "%s\\%s", folder, name);
    for (size_t i = 0; i < at; i++) {
        if (strcmp(host->paths[i], host->paths[at]) == 0)
            return;
    }
    host->modules[at] =
        (struct blob_module){host->paths[at], (uint32_t)(8 + below(host, 300)) * PAGE_BYTES, stamp,
                             (uint32_t)below(host, 0x300000)};
    host->module_count++;
}

/* One line of schema/pooltags.tsv: pattern, pool, driver, ... */
static void read_line(struct host *host, char *line)
{
    uint32_t tag = 0;
    char *pool = strchr(line, '\t');
    char *driver = pool != NULL ? strchr(pool + 1, '\t') : NULL;
    char *end = driver != NULL ? strchr(driver + 1, '\t') : NULL;
    if (line[0] == '#' || end == NULL)
        return;
    *pool = '\0';
    *end = '\0';
    driver++;
    size_t length = strlen(driver);
    if (strpbrk(line, "?*") == NULL && tag_parse(line, strlen(line), &tag))
        add_tag(host, tag);
    if (length > 4 && length < NAME_BYTES && strcmp(driver + length - 4, ".sys") == 0 &&
        strpbrk(driver, " /!") == NULL)
        add_module(host, "\\SystemRoot\\System32\\drivers", driver, (uint32_t)rnd(host));
}

static bool read_list(struct host *host)
{
    char line[1024]; /* longer lines of a list are read in pieces, which are no rows */
    AUTO_FILE FILE *file = fopen(host->options.tags, "rb");
    if (file == NULL) {
        fprintf(stderr, "could not open \"%s\": %s\n", host->options.tags, strerror(errno));
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL)
        read_line(host, line);
    return true;
}

/* ---- the host --------------------------------------------------------------- */

static void make_modules(struct host *host)
{
    char name[NAME_BYTES];
    add_module(host, "\\SystemRoot\\system32", "ntoskrnl.exe", 0x98f9eee3u);
    add_module(host, "\\SystemRoot\\system32", "hal.dll", 0x1c02aa51u);
    for (size_t i = 0; i < host->options.driver_count; i++) {
        const char *given = host->options.driver[i];
        const char *stamp = strchr(given, '=');
        size_t length = stamp != NULL ? (size_t)(stamp - given) : strlen(given);
        snprintf(name, sizeof name, "%.*s", (int)length, given);
        add_module(host, "\\SystemRoot\\System32\\drivers", name,
                   stamp != NULL ? (uint32_t)strtoul(stamp + 1, NULL, 0) : 0);
    }
}

static void fill_up(struct host *host)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char name[NAME_BYTES];
    for (unsigned i = 0; host->module_count < MODULES_TOTAL; i++) {
        snprintf(name, sizeof name, "oem%02ukm.sys", i);
        add_module(host, "\\SystemRoot\\System32\\drivers", name, (uint32_t)rnd(host));
    }
    add_tag(host, host->options.leak);
    while (host->tag_count < TAGS_TOTAL) {
        unsigned char bytes[4];
        for (unsigned i = 0; i < 4; i++)
            bytes[i] = (unsigned char)letters[below(host, sizeof letters - 1)];
        add_tag(host, tag_from_bytes(bytes));
    }
}

static void make_processes(struct host *host)
{
    static const char *const names[] = {
        "svchost.exe", "RuntimeBroker.exe", "csrss.exe",   "explorer.exe",
        "msedge.exe",  "SearchIndexer.exe", "conhost.exe", "WmiPrvSE.exe",
        "dllhost.exe", "TextInputHost.exe"};
    host->processes[0] = (struct blob_process){0, NULL, 0, 8};
    host->processes[1] = (struct blob_process){4, "System", 5210, 190};
    host->processes[2] = (struct blob_process){652, "lsass.exe", 1720, 12};
    for (size_t i = 3; i < PROCESSES; i++)
        host->processes[i] = (struct blob_process){
            (700 + i * 52) & ~(uint64_t)3, names[below(host, sizeof names / sizeof *names)],
            (uint32_t)(80 + below(host, 1200)), (uint32_t)(2 + below(host, 24))};
}

static void make_types(struct host *host)
{
    static const char *const names[] = {
        "Type",    "Directory",       "SymbolicLink", "Token",
        "Job",     "Process",         "Thread",       "Partition",
        "Event",   "Mutant",          "Semaphore",    "Timer",
        "File",    "Section",         "Key",          "ALPC Port",
        "Desktop", "EtwRegistration", "IoCompletion", "WaitCompletionPacket"};
    static char made[TYPES][NAME_BYTES];
    for (size_t i = 0; i < TYPES; i++) {
        const char *name = made[i];
        if (i < sizeof names / sizeof *names)
            name = names[i];
        else
            snprintf(made[i], NAME_BYTES, "Extension%02zu", i);
        uint32_t objects = (uint32_t)below(host, i < 20 ? 20000 : 40);
        host->types[i] = (struct blob_type){name, objects, objects + (uint32_t)below(host, 400),
                                            (unsigned)i + 2};
    }
}

/* ---- steps ------------------------------------------------------------------ */

static void advance(struct host *host, unsigned step)
{
    for (size_t i = 0; i < host->tag_count; i++) {
        struct blob_tag *t = &host->tags[i];
        unsigned pool = t->used[1] > t->used[0];
        if (t->tag == host->options.leak) {
            uint64_t live = LEAK_AT_FIRST + (uint64_t)LEAK_PER_STEP * step;
            t->allocs[0] = 900 + live + 40 * (uint64_t)step;
            t->frees[0] = 900 + 40 * (uint64_t)step;
            t->used[0] = live * leak_bytes(host);
            t->allocs[1] = t->frees[1] = t->used[1] = 0;
        } else if (host->rate[i] > 0 && step > 0) {
            uint64_t moved = host->rate[i] + below(host, host->rate[i]);
            t->allocs[pool] += moved;
            t->frees[pool] += moved;
        }
    }
}

static size_t make_blocks(struct host *host, unsigned step)
{
    static const uint64_t sizes[] = {4096, 8192, 12288, 16384, 32768, 65536, 1u << 20};
    size_t count = 0;
    for (; count < BLOCKS_BASE; count++) {
        size_t tag = below(host, host->tag_count);
        if (host->tags[tag].tag == host->options.leak)
            tag = 0;
        host->blocks[count] = (struct blob_big){host->tags[tag].tag,
                                                sizes[below(host, sizeof sizes / sizeof *sizes)]};
    }
    size_t leaked = LEAK_AT_FIRST + (size_t)LEAK_PER_STEP * step;
    for (size_t i = 0; i < leaked; i++, count++)
        host->blocks[count] = (struct blob_big){host->options.leak, leak_bytes(host)};
    return count;
}

static struct blob_performance figures(const struct host *host)
{
    uint64_t used[2] = {0};
    for (size_t i = 0; i < host->tag_count; i++) {
        used[0] += host->tags[i].used[0];
        used[1] += host->tags[i].used[1];
    }
    /* Rows never sum to the totals: some pool has no tag. */
    uint64_t nonpaged = used[0] + used[0] / 16 + 40 * MIB;
    uint64_t paged = used[1] + used[1] / 16 + 60 * MIB;
    uint64_t free_bytes = nonpaged < 9 * GIB ? 9 * GIB - nonpaged : 200 * MIB;
    return (struct blob_performance){
        (uint32_t)(free_bytes / PAGE_BYTES), (uint32_t)((6 * GIB + nonpaged + paged) / PAGE_BYTES),
        (uint32_t)(19 * GIB / PAGE_BYTES), (uint32_t)(paged / PAGE_BYTES),
        (uint32_t)(nonpaged / PAGE_BYTES)};
}

/* ---- files ------------------------------------------------------------------ */

/* Writes and empties `bytes`. */
static bool save(const struct host *host, const char *name, unsigned number, struct strbuf *bytes)
{
    char path[1024];
    int length = snprintf(path, sizeof path, "%s/%s-%u.bin", host->options.folder, name, number);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "wb") : NULL;
    bool ok = file != NULL && !strbuf_failed(bytes) &&
              fwrite(bytes->data, 1, bytes->length, file) == bytes->length;
    if (file != NULL)
        ok = fclose(file) == 0 && ok;
    if (!ok)
        fprintf(stderr, "could not write \"%s\": %s\n", path, strerror(errno));
    strbuf_clear(bytes);
    return ok;
}

static bool save_version(const struct host *host)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    strbuf_printf(&path, "%s/version.txt", host->options.folder);
    FILE *file = strbuf_failed(&path) ? NULL : fopen(path.data, "wb");
    if (file == NULL)
        return false;
    /* The last x86 kernel is Windows 10. */
    bool ok = fprintf(file, "%s\n",
                      host->options.arch == NT_X64 ? "10.0.26100.4061 client x64"
                                                   : "10.0.19045.5917 client x86") > 0;
    return fclose(file) == 0 && ok;
}

static bool save_once(struct host *host, struct strbuf *out)
{
    enum nt_arch arch = host->options.arch;
    blob_basic(out, arch, PAGE_BYTES, (uint32_t)(16 * GIB / PAGE_BYTES));
    bool ok = save(host, "0", 0, out);
    blob_modules_ex(out, arch, host->modules, host->module_count);
    ok = ok && save(host, "77", 0, out);
    blob_processes(out, arch, NT_REPLAY_BASE, host->processes, PROCESSES);
    ok = ok && save(host, "5", 0, out);
    blob_types(out, arch, NT_REPLAY_BASE, host->types, TYPES);
    return ok && save(host, "types", 0, out);
}

static bool save_step(struct host *host, unsigned step, struct strbuf *out)
{
    advance(host, step);
    blob_tags(out, host->options.arch, host->tags, host->tag_count);
    bool ok = save(host, "22", step, out);
    struct blob_performance now = figures(host);
    blob_performance(out, &now, 0x178);
    return ok && save(host, "2", step, out);
}

/* ---- command line ----------------------------------------------------------- */

static bool set_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--steps") == 0) {
        options->steps = (unsigned)strtoul(value, NULL, 10);
        return options->steps > 0 && options->steps <= STEPS_MAX;
    }
    if (strcmp(name, "--leak") == 0)
        return tag_parse_padded(value, strlen(value), &options->leak);
    if (strcmp(name, "--arch") == 0) {
        options->arch = strcmp(value, "x86") == 0 ? NT_X86 : NT_X64;
        return options->arch == NT_X86 || strcmp(value, "x64") == 0;
    }
    if (strcmp(name, "--seed") == 0) {
        options->seed = strtoull(value, NULL, 10);
        return true;
    }
    if (strcmp(name, "--tags") == 0) {
        options->tags = value;
        return true;
    }
    if (strcmp(name, "--driver") == 0 && options->driver_count < DRIVERS_MAX) {
        options->driver[options->driver_count++] = value;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    static struct host host; /* megabytes of rows */
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    host.options = (struct options){.tags = "schema/pooltags.tsv",
                                    .steps = 48,
                                    .leak = 0x6b61654cu, /* "Leak" */
                                    .arch = NT_X64,
                                    .seed = 1};
    bool ok = argc >= 2 && argv[1][0] != '-' && argc % 2 == 0;
    for (int i = 2; ok && i < argc; i += 2)
        ok = set_option(&host.options, argv[i], argv[i + 1]);
    if (!ok) {
        fprintf(stderr, "usage: make_replay FOLDER [--steps N] [--leak TAG] [--arch x64|x86] "
                        "[--seed N] [--tags FILE] [--driver NAME.sys=STAMP]...\n");
        return 2;
    }
    host.options.folder = argv[1];
    host.random = host.options.seed;
    if (mkdir(argv[1], 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "could not make folder \"%s\": %s\n", argv[1], strerror(errno));
        return 1;
    }
    make_modules(&host);
    if (!read_list(&host))
        return 1;
    fill_up(&host);
    make_processes(&host);
    make_types(&host);
    ok = save_version(&host) && save_once(&host, &out);
    for (unsigned step = 0; ok && step < host.options.steps; step++)
        ok = save_step(&host, step, &out);
    /* Asked for rarely: as it stands at the end. */
    size_t blocks = make_blocks(&host, host.options.steps - 1);
    blob_big(&out, host.options.arch, host.blocks, blocks);
    return ok && save(&host, "66", 0, &out) ? 0 : 1;
}
