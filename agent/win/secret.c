/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The enroll secret on its way to the service: `enroll` and the installer leave it encrypted in the
 * data folder, since the service's account may not be able to read (or remove) the file an
 * administrator put somewhere.
 */
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#define SECRET_FILE "enroll"
#define SECRET_MAX  512  /* ours have 43 characters; other servers may differ */
#define SEALED_MAX  8192 /* DPAPI adds some hundred bytes */
#define FILE_MAX_   4096 /* a file with a secret and perhaps an empty line */

enum status win_secret_store(const struct files *files, const char *secret, struct err *err)
{
    AUTO_STRBUF struct strbuf sealed = STRBUF_INIT;
    size_t length = strlen(secret);
    for (size_t i = 0; i < length; i++) {
        if (secret[i] <= ' ' || secret[i] >= 0x7f)
            return err_set(err, ST_INVALID,
                           "enroll secret holds a blank or a character that is not ASCII");
    }
    if (length == 0 || length > SECRET_MAX)
        return err_set(err, ST_INVALID, "enroll secret is %s",
                       length == 0 ? "empty" : "longer than 512 characters");
    const struct vault *vault = win_vault();
    enum status st = vault->protect(vault->arg, secret, length, &sealed, err);
    if (st != ST_OK)
        return st;
    return files->write(files->arg, SECRET_FILE, sealed.data, sealed.length, err);
}

static enum status load_stored(const struct files *files, struct strbuf *out, struct err *err)
{
    AUTO_STRBUF struct strbuf sealed = STRBUF_INIT;
    const struct vault *vault = win_vault();
    enum status st = files->read(files->arg, SECRET_FILE, SEALED_MAX, &sealed, err);
    if (st != ST_OK)
        return st;
    return vault->unprotect(vault->arg, sealed.data, sealed.length, out, err);
}

/* PowerShell's ">" writes UTF-16 with a mark, Notepad a mark before UTF-8. */
static bool to_utf8(struct strbuf *text)
{
    if (text->length >= 3 && memcmp(text->data, "\xEF\xBB\xBF", 3) == 0) {
        memmove(text->data, text->data + 3, text->length - 3);
        text->length -= 3;
        text->data[text->length] = '\0';
    } else if (text->length >= 2 && memcmp(text->data, "\xFF\xFE", 2) == 0) {
        wchar_t wide[FILE_MAX_ / 2 + 1];
        size_t count = (text->length - 2) / 2;
        memcpy(wide, text->data + 2, count * 2);
        wide[count] = L'\0';
        AUTO_FREE char *utf8 = wide_to_utf8(wide);
        SecureZeroMemory(wide, sizeof wide);
        if (utf8 == NULL)
            return false;
        strbuf_clear(text);
        strbuf_puts(text, utf8);
        SecureZeroMemory(utf8, strlen(utf8));
    }
    return !strbuf_failed(text);
}

static void trim(struct strbuf *text)
{
    size_t start = 0;
    while (text->length > 0 && (unsigned char)text->data[text->length - 1] <= ' ')
        text->length--;
    while (start < text->length && (unsigned char)text->data[start] <= ' ')
        start++;
    memmove(text->data, text->data + start, text->length - start);
    text->length -= start;
    text->data[text->length] = '\0';
}

static enum status load_file(const char *path, struct strbuf *out, struct err *err)
{
    enum status st = win_read_file(path, FILE_MAX_, out, err);
    if (st != ST_OK)
        return st;
    if (!to_utf8(out))
        return err_set(err, ST_NOMEM, "could not read the enroll secret: out of memory");
    trim(out);
    for (size_t i = 0; i < out->length; i++) {
        if ((unsigned char)out->data[i] <= ' ' || (unsigned char)out->data[i] >= 0x7f)
            return err_set(err, ST_INVALID, "file \"%.128s\" holds no enroll secret", path);
    }
    if (out->length == 0 || out->length > SECRET_MAX)
        return err_set(err, ST_INVALID, "file \"%.128s\" holds no enroll secret", path);
    return ST_OK;
}

enum status win_secret_load(const struct settings *settings, const struct files *files,
                            struct strbuf *out, struct err *err)
{
    const char *path = settings_text(settings, SETTING_ENROLL_FILE);
    struct err stored = {0};
    enum status st = load_stored(files, out, &stored);
    if (st == ST_OK)
        return ST_OK;
    if (*path != '\0')
        return load_file(path, out, err);
    if (err != NULL)
        *err = stored;
    return st;
}

enum status win_secret_remove(const struct settings *settings, const struct files *files,
                              struct err *err)
{
    const char *path = settings_text(settings, SETTING_ENROLL_FILE);
    enum status st = files->remove(files->arg, SECRET_FILE, err);
    if (*path == '\0')
        return st;
    AUTO_FREE wchar_t *wide = wide_from_utf8(path);
    wchar_t expanded[1024];
    if (wide == NULL || ExpandEnvironmentStringsW(wide, expanded, 1024) - 1 >= 1023)
        return err_set(err, ST_INVALID, "could not remove the enroll file: its path is too long");
    if (!DeleteFileW(expanded) && GetLastError() != ERROR_FILE_NOT_FOUND &&
        GetLastError() != ERROR_PATH_NOT_FOUND)
        return wide_last_error(err, "remove the enroll file");
    return st;
}

void win_secret_wipe(struct strbuf *secret)
{
    if (secret->data != NULL)
        SecureZeroMemory(secret->data, secret->capacity);
    strbuf_done(secret);
}
