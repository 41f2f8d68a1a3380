/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/driver_path.h"

#include <string.h>
#include <strings.h>

static bool starts(const char *text, const char *with)
{
    return strncasecmp(text, with, strlen(with)) == 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "C:\..." */
static bool has_drive(const char *text)
{
    return is_letter(text[0]) && text[1] == ':' && text[2] == '\\';
}

static void put(struct strbuf *out, const char *a, const char *b, const char *c)
{
    strbuf_puts(out, a);
    strbuf_puts(out, b);
    strbuf_puts(out, c);
}

/* A path that begins with a backslash: one of the kernel's own names, or of the system's drive. */
static bool rooted(const char *raw, const char *system_root, struct strbuf *out)
{
    const char drive[] = {system_root[0], ':', '\0'};
    if (starts(raw, "\\SystemRoot\\"))
        put(out, system_root, "", raw + strlen("\\SystemRoot"));
    else if (starts(raw, "\\Device\\HarddiskVolume"))
        put(out, "\\\\?\\GLOBALROOT", "", raw);
    else if (raw[1] != '\\' && raw[1] != '?' && !starts(raw, "\\Device\\"))
        put(out, drive, "", raw);
    else
        return false; /* "\\server\share", "\Device\Mup\...": never over the network */
    return true;
}

bool driver_path(const char *raw, const char *system_root, struct strbuf *out)
{
    strbuf_clear(out);
    if (!has_drive(system_root))
        return false;
    if (starts(raw, "\\??\\") || starts(raw, "\\\\?\\")) {
        raw += 4;
        if (!has_drive(raw))
            return false; /* UNC and other namespaces */
    }
    if (*raw == '\0' || raw[strlen(raw) - 1] == '\\')
        return false;
    if (has_drive(raw))
        strbuf_puts(out, raw);
    else if (*raw == '\\') {
        if (!rooted(raw, system_root, out))
            return false;
    } else if (strchr(raw, ':') != NULL) {
        return false; /* "C:file" depends on a current folder; "file:stream" is no driver */
    } else if (strchr(raw, '\\') != NULL) {
        put(out, system_root, "\\", raw);
    } else {
        put(out, system_root, "\\System32\\drivers\\", raw);
    }
    return !strbuf_failed(out);
}

const char *driver_file_name(const char *path)
{
    const char *slash = strrchr(path, '\\');
    return slash == NULL ? path : slash + 1;
}
