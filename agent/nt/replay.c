/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded answers in place of a kernel. They are given with the kernel's own manners (what a
 * buffer that is too small gets to hear, exact lengths), so that a run from a recording goes
 * through the same code as a live one. Files are opened when they are asked for: a recording may be
 * longer than memory, and one that is exchanged while the agent runs is seen.
 */
#include "agent/nt/query.h"
#include "common/strbuf.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ANSWER_BYTES_MAX (64u << 20) /* above what any class is asked for, but the handles */
#define NAME_BYTES       32          /* "4294967295-4294967295.bin" */

/* How a class treats lengths that are not its answer's. */
enum manner {
    MANNER_TABLE,    /* less than one element: told that size; less than all: told all */
    MANNER_EXACT,    /* any other length is refused */
    MANNER_AT_LEAST, /* longer is fine; shorter is cut, down to `least` */
    MANNER_AT_MOST   /* shorter is cut; longer is refused */
};

static const struct answer_kind {
    uint32_t information_class;
    enum manner manner;
    uint32_t least[2]; /* by arch: one element with its head, or the least length */
} kinds[] = {
    {NT_CLASS_BASIC, MANNER_EXACT, {0}},
    {NT_CLASS_PERFORMANCE, MANNER_AT_LEAST, {NT_PERFORMANCE_BYTES, NT_PERFORMANCE_BYTES}},
    {NT_CLASS_TIME, MANNER_AT_MOST, {0}},
    {NT_CLASS_PROCESSES, MANNER_TABLE, {0}},
    {NT_CLASS_MODULES, MANNER_TABLE, {0x120, 0x130}},
    {NT_CLASS_POOL_TAGS, MANNER_TABLE, {0x20, 0x30}},
    {NT_CLASS_HANDLES, MANNER_TABLE, {0x24, 0x38}},
    {NT_CLASS_BIG_POOL, MANNER_TABLE, {0x10, 0x20}},
    {NT_CLASS_SESSIONS, MANNER_TABLE, {0}},
    {NT_CLASS_MODULES_EX, MANNER_TABLE, {0}},
    {NT_CLASS_POOL_TAGS_2, MANNER_TABLE, {0x20, 0x40}},
    {NT_CLASS_TYPES, MANNER_TABLE, {0}}, /* stays last: query_object_types */
};

#define KINDS (sizeof kinds / sizeof *kinds)

struct nt_replay {
    struct nt_calls calls;
    char *folder;
    unsigned next[KINDS]; /* number of the file the next answer comes from */
};

/* ---- files ------------------------------------------------------------------ */

static FILE *open_in_folder(const struct nt_replay *replay, const char *name)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    strbuf_puts(&path, replay->folder);
    strbuf_putc(&path, '/');
    strbuf_puts(&path, name);
    return strbuf_failed(&path) ? NULL : fopen(path.data, "rb");
}

static FILE *open_numbered(const struct nt_replay *replay, size_t kind, unsigned number)
{
    char name[NAME_BYTES];
    if (kinds[kind].information_class == NT_CLASS_TYPES)
        snprintf(name, sizeof name, "types-%u.bin", number);
    else
        snprintf(name, sizeof name, "%" PRIu32 "-%u.bin", kinds[kind].information_class, number);
    return open_in_folder(replay, name);
}

/* The file of the next answer; behind the last one, the last again. NULL: the class has none. */
static FILE *open_next(struct nt_replay *replay, size_t kind)
{
    FILE *file = open_numbered(replay, kind, replay->next[kind]);
    if (file == NULL && replay->next[kind] > 0) {
        file = open_numbered(replay, kind, replay->next[kind] - 1);
        replay->next[kind] -= file != NULL;
    }
    return file;
}

static bool file_bytes(FILE *file, uint32_t *ret_bytes)
{
    if (fseek(file, 0, SEEK_END) != 0)
        return false;
    long bytes = ftell(file);
    if (bytes < 0 || (unsigned long)bytes > ANSWER_BYTES_MAX || fseek(file, 0, SEEK_SET) != 0)
        return false;
    *ret_bytes = (uint32_t)bytes;
    return true;
}

/* ---- calls ------------------------------------------------------------------ */

/* Bytes to give of an answer of `all` bytes, or the status and length the kernel would tell. */
static int32_t fit(const struct answer_kind *kind, enum nt_arch arch, uint32_t all, uint32_t length,
                   uint32_t *ret_bytes)
{
    *ret_bytes = all;
    switch (kind->manner) {
    case MANNER_TABLE:
        if (length < kind->least[arch])
            *ret_bytes = kind->least[arch];
        return length < all ? NT_INFO_LENGTH_MISMATCH : NT_SUCCESS_STATUS;
    case MANNER_EXACT:
        return length != all ? NT_INFO_LENGTH_MISMATCH : NT_SUCCESS_STATUS;
    case MANNER_AT_MOST:
        if (length > all)
            return NT_INFO_LENGTH_MISMATCH;
        break;
    case MANNER_AT_LEAST:
        if (length < kind->least[arch])
            return NT_INFO_LENGTH_MISMATCH;
        break;
    }
    *ret_bytes = length < all ? length : all;
    return NT_SUCCESS_STATUS;
}

static int32_t answer(struct nt_replay *replay, size_t kind, void *buffer, uint32_t length,
                      uint32_t *ret_length)
{
    uint32_t all = 0;
    uint32_t bytes = 0;
    AUTO_FILE FILE *file = open_next(replay, kind);
    *ret_length = 0;
    if (file == NULL)
        return NT_INVALID_INFO_CLASS;
    if (!file_bytes(file, &all))
        return NT_NOT_SUPPORTED;
    int32_t nt = fit(&kinds[kind], replay->calls.version.arch, all, length, &bytes);
    *ret_length = bytes;
    if (nt != NT_SUCCESS_STATUS)
        return nt;
    if (fread(buffer, 1, bytes, file) != bytes)
        return NT_NOT_SUPPORTED;
    replay->next[kind]++;
    return NT_SUCCESS_STATUS;
}

static int32_t query_system(void *arg, uint32_t information_class, void *buffer, uint32_t length,
                            uint32_t *ret_length)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i].information_class == information_class && information_class != NT_CLASS_TYPES)
            return answer(arg, i, buffer, length, ret_length);
    }
    *ret_length = 0;
    return NT_INVALID_INFO_CLASS;
}

static int32_t query_object_types(void *arg, void *buffer, uint32_t length, uint32_t *ret_length)
{
    return answer(arg, KINDS - 1, buffer, length, ret_length); /* the last row of kinds */
}

static uint64_t buffer_address(void *arg, const void *buffer)
{
    (void)arg;
    (void)buffer;
    return NT_REPLAY_BASE;
}

/* ---- version ---------------------------------------------------------------- */

static bool read_number(const char **text, char end, unsigned *ret_number)
{
    uint64_t number = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9' && number <= UINT32_MAX; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    if (at == *text || number > UINT32_MAX || (end != '\0' && *at != end))
        return false;
    *ret_number = (unsigned)number;
    *text = at + (end != '\0');
    return true;
}

static bool read_word(const char **text, const char *word)
{
    size_t length = strlen(word);
    while (**text == ' ')
        (*text)++;
    if (strncmp(*text, word, length) != 0 || strcspn(*text, " \r\n") != length)
        return false;
    *text += length;
    return true;
}

/* "10.0.26100.4061 server x64". */
static bool parse_version(const char *text, struct nt_version *ret_version)
{
    struct nt_version version = {.arch = NT_X64};
    if (!read_number(&text, '.', &version.major) || !read_number(&text, '.', &version.minor) ||
        !read_number(&text, '.', &version.build) || !read_number(&text, '\0', &version.revision))
        return false;
    version.server = read_word(&text, "server");
    if (!version.server && !read_word(&text, "client"))
        return false;
    version.arm64 = read_word(&text, "arm64"); /* structures as x64 */
    if (read_word(&text, "x86"))
        version.arch = NT_X86;
    else if (!version.arm64 && !read_word(&text, "x64"))
        return false;
    if (text[strspn(text, " \r\n")] != '\0')
        return false;
    *ret_version = version;
    return true;
}

static enum status read_version(struct nt_replay *replay, struct err *err)
{
    char text[128]; /* four numbers and two words take less */
    AUTO_FILE FILE *file = open_in_folder(replay, "version.txt");
    if (file == NULL)
        return err_set(err, ST_NOT_FOUND, "could not open \"%s/version.txt\": %s", replay->folder,
                       strerror(errno));
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    if (!parse_version(text, &replay->calls.version)) {
        enum status status = err_set(
            err, ST_MALFORMED, "could not read \"%s/version.txt\": not a version", replay->folder);
        if (err != NULL)
            snprintf(err->hint, sizeof err->hint,
                     "One line is expected, such as \"10.0.26100.4061 server x64\".");
        return status;
    }
    return ST_OK;
}

/* ---- life cycle ------------------------------------------------------------- */

enum status nt_replay_open(const char *folder, struct nt_replay **ret_replay, struct err *err)
{
    struct nt_replay *replay = calloc(1, sizeof *replay);
    size_t bytes = strlen(folder) + 1;
    if (replay != NULL)
        replay->folder = malloc(bytes);
    if (replay == NULL || replay->folder == NULL) {
        nt_replay_close(replay);
        return err_set(err, ST_NOMEM, "could not open a recording: out of memory");
    }
    memcpy(replay->folder, folder, bytes);
    replay->calls = (struct nt_calls){.arg = replay,
                                      .simulated = true,
                                      .query_system = query_system,
                                      .query_object_types = query_object_types,
                                      .buffer_address = buffer_address};
    enum status status = read_version(replay, err);
    if (status != ST_OK) {
        nt_replay_close(replay);
        return status;
    }
    *ret_replay = replay;
    return ST_OK;
}

void nt_replay_close(struct nt_replay *replay)
{
    if (replay == NULL)
        return;
    free(replay->folder);
    free(replay);
}

const struct nt_calls *nt_replay_calls(struct nt_replay *replay)
{
    return &replay->calls;
}
