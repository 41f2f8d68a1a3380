/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for people and pipes. A console takes UTF-16 whatever its code page is; a file or a pipe
 * gets the UTF-8 bytes as they are, with the line ends as they are.
 */
#include "agent/win/system.h"
#include "agent/win/win.h"

#include <stdarg.h>

/* Characters a call: old consoles fail on more than about 26,000. */
#define CONSOLE_CHUNK 4096

static HANDLE stream_handle(enum win_stream stream)
{
    return GetStdHandle(stream == WIN_OUT ? STD_OUTPUT_HANDLE : STD_ERROR_HANDLE);
}

bool win_is_console(enum win_stream stream)
{
    DWORD mode;
    return GetConsoleMode(stream_handle(stream), &mode) != 0;
}

/* For what writes through C's streams. */
void win_console_open(void)
{
    if (win_is_console(WIN_OUT) || win_is_console(WIN_ERR))
        SetConsoleOutputCP(CP_UTF8);
}

static bool write_bytes(HANDLE handle, const char *text, size_t length)
{
    while (length > 0) {
        DWORD wrote = 0;
        DWORD chunk = length > 65536 ? 65536 : (DWORD)length;
        if (!WriteFile(handle, text, chunk, &wrote, NULL) || wrote == 0)
            return false;
        text += wrote;
        length -= wrote;
    }
    return true;
}

/* Bytes of text, at most `most`, that do not cut a character. */
static size_t whole_characters(const char *text, size_t length, size_t most)
{
    if (length <= most)
        return length;
    while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80)
        most--;
    return most;
}

static void write_console(HANDLE handle, const char *text, size_t length)
{
    wchar_t wide[CONSOLE_CHUNK]; /* never more UTF-16 units than UTF-8 bytes */
    while (length > 0) {
        size_t chunk = whole_characters(text, length, CONSOLE_CHUNK);
        if (chunk == 0)
            return;
        int count =
            MultiByteToWideChar(CP_UTF8, 0, text, (int)chunk, wide, sizeof wide / sizeof wide[0]);
        DWORD wrote = 0;
        if (count <= 0 || !WriteConsoleW(handle, wide, (DWORD)count, &wrote, NULL))
            return;
        text += chunk;
        length -= chunk;
    }
}

void win_write(enum win_stream stream, const char *text, size_t length)
{
    HANDLE handle = stream_handle(stream);
    DWORD mode;
    if (handle == NULL || handle == INVALID_HANDLE_VALUE)
        return;
    if (GetConsoleMode(handle, &mode))
        write_console(handle, text, length);
    else
        (void)write_bytes(handle, text, length);
}

void win_printf(enum win_stream stream, const char *format, ...)
{
    char text[2048]; /* messages are a few hundred bytes; what is longer is cut */
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length > 0)
        win_write(stream, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

void win_complain(const struct err *err)
{
    win_printf(WIN_ERR, "poolfleet-agent: %s%s%s\n", err->field, err->field[0] != '\0' ? ": " : "",
               err->message);
    if (err->hint[0] != '\0')
        win_printf(WIN_ERR, "hint: %s\n", err->hint);
}
