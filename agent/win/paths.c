/* SPDX-License-Identifier: Apache-2.0 */
/* Folders and whole files outside the data folder. */
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#define PATH_CHARS 1024 /* no path of ours comes near; a longer one is refused */

/* A folder's name from the registry, with its %NAMES% replaced. */
static bool read_folder(const wchar_t *key_name, const wchar_t *value, wchar_t ret_path[PATH_CHARS])
{
    AUTO_KEY HKEY key = NULL;
    wchar_t text[PATH_CHARS] = L"";
    DWORD type = 0, bytes = sizeof text - sizeof *text;
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, key_name, 0, KEY_QUERY_VALUE | KEY_WOW64_64KEY, &key) !=
            ERROR_SUCCESS ||
        RegQueryValueExW(key, value, NULL, &type, (BYTE *)text, &bytes) != ERROR_SUCCESS ||
        (type != REG_SZ && type != REG_EXPAND_SZ))
        return false;
    DWORD length = ExpandEnvironmentStringsW(text, ret_path, PATH_CHARS);
    return length > 3 && length <= PATH_CHARS && ret_path[1] == L':';
}

/* The folder for data of all users. From where the system itself takes it, not from the variable:
 * a service and a console must find the same, and Server 2003 has no such variable. */
static bool program_data(wchar_t ret_path[PATH_CHARS])
{
    if (read_folder(L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList", L"ProgramData",
                    ret_path) ||
        read_folder(L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Explorer\\Shell Folders",
                    L"Common AppData", ret_path))
        return true;
    DWORD length = GetEnvironmentVariableW(L"ProgramData", ret_path, PATH_CHARS);
    return length > 0 && length < PATH_CHARS;
}

char *win_default_data_folder(void)
{
    wchar_t base[PATH_CHARS];
    if (!program_data(base))
        return NULL;
    AUTO_FREE char *utf8 = wide_to_utf8(base);
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    if (utf8 == NULL)
        return NULL;
    strbuf_printf(&path, "%s\\Poolfleet\\Agent", utf8);
    return strbuf_take(&path);
}

/* %NAMES% replaced and made a full path. */
static enum status full_path(const char *text, wchar_t ret_path[PATH_CHARS], struct err *err)
{
    static const char old_base[] = "%ProgramData%";
    wchar_t expanded[PATH_CHARS];
    wchar_t base[PATH_CHARS];
    AUTO_STRBUF struct strbuf whole = STRBUF_INIT;
    /* The one variable that Server 2003 lacks stands in our built-in. */
    if (_strnicmp(text, old_base, sizeof old_base - 1) == 0 && program_data(base)) {
        AUTO_FREE char *utf8 = wide_to_utf8(base);
        strbuf_puts(&whole, utf8 == NULL ? "" : utf8);
        text += sizeof old_base - 1;
    }
    strbuf_puts(&whole, text);
    AUTO_FREE wchar_t *wide = strbuf_failed(&whole) ? NULL : wide_from_utf8(whole.data);
    if (wide == NULL)
        return err_set(err, ST_NOMEM, "could not read a path: out of memory");
    DWORD length = ExpandEnvironmentStringsW(wide, expanded, PATH_CHARS);
    if (length == 0 || length > PATH_CHARS)
        return err_set(err, ST_INVALID, "path \"%.128s\" is too long", text);
    length = GetFullPathNameW(expanded, PATH_CHARS, ret_path, NULL);
    if (length == 0 || length >= PATH_CHARS)
        return err_set(err, ST_INVALID, "path \"%.128s\" is too long", text);
    return ST_OK;
}

enum status win_data_folder(const struct settings *settings, char **ret_folder, struct err *err)
{
    wchar_t path[PATH_CHARS];
    const char *text = settings_text(settings, SETTING_DATA_FOLDER);
    enum status st = full_path(text, path, err);
    if (st != ST_OK)
        return st;
    size_t length = wcslen(path);
    while (length > 3 && path[length - 1] == L'\\')
        path[--length] = L'\0';
    /* Network folders lose locks and flushes; a drive's root is nobody's data folder. */
    if (length <= 3 || path[1] != L':' || path[2] != L'\\')
        return err_set(err, ST_INVALID,
                       "setting DataFolder has the value \"%.128s\", must be a folder of its own on"
                       " a local disk",
                       text);
    char *folder = wide_to_utf8(path);
    if (folder == NULL)
        return err_set(err, ST_NOMEM, "could not read a path: out of memory");
    *ret_folder = folder;
    return ST_OK;
}

char *win_program_path(void)
{
    wchar_t path[PATH_CHARS];
    DWORD length = GetModuleFileNameW(NULL, path, PATH_CHARS);
    return length == 0 || length >= PATH_CHARS ? NULL : wide_to_utf8(path);
}

enum status win_read_file(const char *path, size_t max, struct strbuf *out, struct err *err)
{
    wchar_t full[PATH_CHARS];
    strbuf_clear(out);
    enum status st = full_path(path, full, err);
    if (st != ST_OK)
        return st;
    AUTO_STRBUF struct strbuf what = STRBUF_INIT;
    strbuf_printf(&what, "read file \"%.160s\"", path);
    if (!strbuf_reserve(out, max + 1) || strbuf_failed(&what))
        return err_set(err, ST_NOMEM, "could not read a file: out of memory");
    AUTO_HANDLE HANDLE file =
        CreateFileW(full, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return wide_last_error(err, what.data);
    /* A pipe or a device with that name could keep us waiting for ever. */
    if (GetFileType(file) != FILE_TYPE_DISK)
        return err_set(err, ST_INVALID, "could not %s: it is not a file", what.data);
    for (;;) {
        DWORD got = 0;
        if (!ReadFile(file, out->data + out->length, (DWORD)(max + 1 - out->length), &got, NULL))
            return wide_last_error(err, what.data);
        out->length += got;
        out->data[out->length] = '\0';
        if (out->length > max)
            return err_set(err, ST_TOO_LARGE, "could not %s: it is larger than %u bytes", what.data,
                           (unsigned)max);
        if (got == 0)
            return ST_OK;
    }
}
