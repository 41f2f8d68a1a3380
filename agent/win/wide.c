/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/win/wide.h"
#include "agent/win/system.h"

wchar_t *wide_from_utf8(const char *text)
{
    int length = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    if (length <= 0)
        return NULL;
    wchar_t *wide = malloc((size_t)length * sizeof *wide);
    if (wide != NULL && MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, length) == 0) {
        free(wide);
        return NULL;
    }
    return wide;
}

char *wide_to_utf8(const wchar_t *text)
{
    int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    if (length <= 0)
        return NULL;
    char *utf8 = malloc((size_t)length);
    if (utf8 != NULL && WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, length, NULL, NULL) == 0) {
        free(utf8);
        return NULL;
    }
    return utf8;
}

static const struct {
    DWORD error;
    enum status code;
} codes[] = {
    {ERROR_FILE_NOT_FOUND, ST_NOT_FOUND},
    {ERROR_PATH_NOT_FOUND, ST_NOT_FOUND},
    {ERROR_SERVICE_DOES_NOT_EXIST, ST_NOT_FOUND},
    {ERROR_ACCESS_DENIED, ST_FORBIDDEN},
    {ERROR_PRIVILEGE_NOT_HELD, ST_FORBIDDEN},
    {ERROR_SHARING_VIOLATION, ST_BUSY},
    {ERROR_LOCK_VIOLATION, ST_BUSY},
    {ERROR_DISK_FULL, ST_TOO_LARGE},
    {ERROR_HANDLE_DISK_FULL, ST_TOO_LARGE},
    {ERROR_NOT_ENOUGH_QUOTA, ST_NOMEM},
    {ERROR_NOT_ENOUGH_MEMORY, ST_NOMEM},
    {ERROR_OUTOFMEMORY, ST_NOMEM},
    {ERROR_NO_SYSTEM_RESOURCES, ST_NOMEM},
    {ERROR_NOT_SUPPORTED, ST_UNSUPPORTED},
    {ERROR_PROC_NOT_FOUND, ST_UNSUPPORTED},
    {ERROR_SERVICE_EXISTS, ST_CONFLICT},
    {ERROR_SERVICE_MARKED_FOR_DELETE, ST_CONFLICT},
};

/* The system's words come with a full stop and a line end of their own. */
static void trim_words(wchar_t *words, DWORD length)
{
    while (length > 0 && (words[length - 1] <= L' ' || words[length - 1] == L'.'))
        words[--length] = L'\0';
    for (DWORD i = 0; i < length; i++) {
        if (words[i] < L' ')
            words[i] = L' ';
    }
}

enum status wide_error(struct err *err, unsigned long error, const char *what)
{
    enum status code = ST_IO;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].error == error)
            code = codes[i].code;
    }
    wchar_t words[256] = L"";
    DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                                  error, 0, words, sizeof words / sizeof words[0] - 1, NULL);
    trim_words(words, length);
    AUTO_FREE char *utf8 = wide_to_utf8(words);
    if (utf8 == NULL || *utf8 == '\0')
        return err_set(err, code, "could not %s: error %lu", what, error);
    return err_set(err, code, "could not %s: %s (%lu)", what, utf8, error);
}

enum status wide_last_error(struct err *err, const char *what)
{
    return wide_error(err, GetLastError(), what);
}
