/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/state.h"
#include "common/cbor.h"

#include <zlib.h>

#define SEAL_BYTES    8u          /* magic, CRC-32 of what follows (big-endian) */
#define FILE_MAX      (64u << 10) /* chosen: ours have some hundred bytes; DPAPI adds as much */
#define STATE_NAME    "state"
#define IDENTITY_NAME "identity"

static const unsigned char magic[4] = {'P', 'F', 'S', '1'};

/* ---- a sealed file */

static void put_crc(unsigned char at[4], const void *data, size_t length)
{
    uint32_t crc = (uint32_t)crc32(0, data, (uInt)length);
    for (unsigned i = 0; i < 4; i++)
        at[i] = (unsigned char)(crc >> (24 - 8 * i));
}

static enum status sealed_write(const struct files *files, const char *name, const void *data,
                                size_t length, struct err *err)
{
    AUTO_STRBUF struct strbuf file = STRBUF_INIT;
    unsigned char seal[SEAL_BYTES];
    memcpy(seal, magic, sizeof magic);
    put_crc(seal + sizeof magic, data, length);
    strbuf_add(&file, seal, sizeof seal);
    strbuf_add(&file, data, length);
    if (strbuf_failed(&file) || file.length > FILE_MAX)
        return err_set(err, ST_NOMEM, "could not write file \"%s\": out of memory", name);
    return files->write(files->arg, name, file.data, file.length, err);
}

/* Puts a corrupt file where a person can look at it and no one reads it again. */
static void set_aside(const struct files *files, const char *name, const struct strbuf *content)
{
    char bad[32];
    snprintf(bad, sizeof bad, "%s.bad", name);
    if (content->length > 0)
        (void)files->write(files->arg, bad, content->data, content->length, NULL);
    (void)files->remove(files->arg, name, NULL);
}

static enum status corrupt(const struct files *files, const char *name,
                           const struct strbuf *content, struct err *err)
{
    set_aside(files, name, content);
    return err_set(err, ST_MALFORMED, "file \"%s\" is corrupt; it was set aside as \"%s.bad\"",
                   name, name);
}

/* `file` holds the whole file; what is sealed begins SEAL_BYTES in. */
static enum status sealed_read(const struct files *files, const char *name, struct strbuf *file,
                               struct err *err)
{
    unsigned char crc[4];
    enum status st = files->read(files->arg, name, FILE_MAX, file, err);
    if (st != ST_OK && st != ST_TOO_LARGE)
        return st;
    if (st == ST_TOO_LARGE)
        strbuf_clear(file);
    if (st != ST_OK || file->length < SEAL_BYTES || memcmp(file->data, magic, sizeof magic) != 0)
        return corrupt(files, name, file, err);
    put_crc(crc, file->data + SEAL_BYTES, file->length - SEAL_BYTES);
    if (memcmp(crc, file->data + sizeof magic, sizeof crc) != 0)
        return corrupt(files, name, file, err);
    return ST_OK;
}

/* ---- state: a map of numbers and one text. Unknown members are those of a newer agent. */

enum { NUMBER_COUNT = 10 };

/* The numbers in order, so that reading and writing share one table. */
static void numbers_of(struct state *state, int64_t *ret_numbers[NUMBER_COUNT])
{
    int64_t *numbers[NUMBER_COUNT] = {
        &state->boot.sent_us,       &state->boot.kernel_us,         &state->boot.uptime_us,
        &state->sequence,           (int64_t *)&state->next_number, (int64_t *)&state->dropped,
        &state->config.interval_us, &state->config.top_processes,   &state->sampled_us,
        &state->acknowledged_us,
    };
    memcpy(ret_numbers, numbers, sizeof numbers);
}

static const char *const number_names[NUMBER_COUNT] = {
    "boot_sent", "boot_kernel", "boot_uptime",   "sequence",   "next_number",
    "dropped",   "interval_us", "top_processes", "sampled_us", "acknowledged_us",
};

void state_init(struct state *state)
{
    *state = (struct state){
        .boot = {.sent_us = TIME_UNKNOWN},
        .sequence = -1,
        .next_number = 1,
        .config = {.top_processes = -1},
        .sampled_us = TIME_UNKNOWN,
        .acknowledged_us = TIME_UNKNOWN,
    };
}

/* A text of the map into a fixed array; too long or with a NUL inside is a failure. */
static bool read_text(struct cbor_reader *reader, char *ret_text, size_t size)
{
    const char *text;
    size_t length;
    if (!cbor_read_text(reader, &text, &length))
        return false;
    if (length >= size || memchr(text, '\0', length) != NULL)
        return cbor_fail(reader, "text too long");
    memcpy(ret_text, text, length);
    ret_text[length] = '\0';
    return true;
}

static void read_member(struct cbor_reader *reader, struct state *state)
{
    int64_t *numbers[NUMBER_COUNT];
    char name[32];
    uint64_t value;
    numbers_of(state, numbers);
    if (!read_text(reader, name, sizeof name))
        return;
    if (strcmp(name, "fault") == 0) {
        (void)read_text(reader, state->fault, sizeof state->fault);
        return;
    }
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        if (strcmp(name, number_names[i]) != 0)
            continue;
        if (cbor_read_uint(reader, &value) && value <= INT64_MAX)
            *numbers[i] = (int64_t)value;
        return;
    }
    cbor_skip(reader);
}

static bool read_state(const char *data, size_t length, struct state *state)
{
    struct cbor_reader reader;
    size_t count;
    cbor_read_init(&reader, data, length);
    if (!cbor_read_map(&reader, &count))
        return false;
    while (cbor_more(&reader))
        read_member(&reader, state);
    return !reader.failed && cbor_peek(&reader) == CBOR_END;
}

enum status state_load(const struct files *files, struct state *ret_state, struct err *err)
{
    AUTO_STRBUF struct strbuf file = STRBUF_INIT;
    struct state state;
    enum status st = sealed_read(files, STATE_NAME, &file, err);
    if (st != ST_OK)
        return st;
    state_init(&state);
    if (!read_state(file.data + SEAL_BYTES, file.length - SEAL_BYTES, &state))
        return corrupt(files, STATE_NAME, &file, err);
    *ret_state = state;
    return ST_OK;
}

enum status state_save(const struct files *files, const struct state *state, struct err *err)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct state copy = *state;
    int64_t *numbers[NUMBER_COUNT];
    size_t known = 0;
    numbers_of(&copy, numbers);
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        known += *numbers[i] >= 0;
    cbor_put_map(&out, known + 1);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        if (*numbers[i] < 0) /* unknown, as state_init leaves it */
            continue;
        cbor_put_text(&out, number_names[i]);
        cbor_put_uint(&out, (uint64_t)*numbers[i]);
    }
    cbor_put_text(&out, "fault");
    cbor_put_text(&out, copy.fault);
    if (strbuf_failed(&out))
        return err_set(err, ST_NOMEM, "could not write file \"" STATE_NAME "\": out of memory");
    return sealed_write(files, STATE_NAME, out.data, out.length, err);
}

/* ---- identity: three texts */

static bool read_identity(const char *data, size_t length, struct identity *identity)
{
    struct cbor_reader reader;
    size_t count;
    cbor_read_init(&reader, data, length);
    return cbor_read_array(&reader, &count) &&
           read_text(&reader, identity->host_id, sizeof identity->host_id) &&
           read_text(&reader, identity->token, sizeof identity->token) &&
           read_text(&reader, identity->machine_id, sizeof identity->machine_id) &&
           snapshot_host_id_valid(identity->host_id) && identity->token[0] != '\0';
}

enum status identity_load(const struct files *files, const struct vault *vault,
                          struct identity *ret_identity, struct err *err)
{
    AUTO_STRBUF struct strbuf file = STRBUF_INIT;
    AUTO_STRBUF struct strbuf open = STRBUF_INIT;
    struct identity identity;
    enum status st = sealed_read(files, IDENTITY_NAME, &file, err);
    if (st != ST_OK)
        return st;
    struct err why = {0};
    st =
        vault->unprotect(vault->arg, file.data + SEAL_BYTES, file.length - SEAL_BYTES, &open, &why);
    bool good = st == ST_OK && read_identity(open.data, open.length, &identity);
    if (open.data != NULL)
        memset(open.data, 0, open.length);
    if (st != ST_OK) {
        set_aside(files, IDENTITY_NAME, &file);
        return err_set(err, ST_MALFORMED, "could not open the identity (set aside): %.180s",
                       why.message);
    }
    if (!good)
        return corrupt(files, IDENTITY_NAME, &file, err);
    *ret_identity = identity;
    return ST_OK;
}

enum status identity_save(const struct files *files, const struct vault *vault,
                          const struct identity *identity, struct err *err)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    AUTO_STRBUF struct strbuf sealed = STRBUF_INIT;
    cbor_put_array(&plain, 3);
    cbor_put_text(&plain, identity->host_id);
    cbor_put_text(&plain, identity->token);
    cbor_put_text(&plain, identity->machine_id);
    if (strbuf_failed(&plain))
        return err_set(err, ST_NOMEM, "could not write the identity: out of memory");
    enum status st = vault->protect(vault->arg, plain.data, plain.length, &sealed, err);
    memset(plain.data, 0, plain.length);
    return st != ST_OK ? st : sealed_write(files, IDENTITY_NAME, sealed.data, sealed.length, err);
}

enum status identity_remove(const struct files *files, struct err *err)
{
    return files->remove(files->arg, IDENTITY_NAME, err);
}
