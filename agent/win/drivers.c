/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/win/drivers.h"
#include "agent/core/driver_path.h"
#include "agent/win/wide.h"

#include "agent/win/system.h"

#include <strings.h>

#define SERVICES_KEY     L"SYSTEM\\CurrentControlSet\\Services"
#define IMAGE_PATH_BYTES 1024
#define SERVICE_KEY_MAX  256        /* the registry's own limit of a key's name */
#define MODE_BEGIN       0x00010000 /* THREAD_MODE_BACKGROUND_BEGIN */
#define MODE_END         0x00020000

void driver_background_begin(void)
{
    SetThreadPriority(GetCurrentThread(), MODE_BEGIN);
}

void driver_background_end(void)
{
    SetThreadPriority(GetCurrentThread(), MODE_END);
}

bool driver_system_root(char ret_folder[SYSTEM_FOLDER_MAX])
{
    wchar_t wide[MAX_PATH];
    UINT length = GetSystemWindowsDirectoryW(wide, MAX_PATH);
    if (length == 0 || length >= MAX_PATH)
        return false;
    char *text AUTO_FREE = wide_to_utf8(wide);
    if (text == NULL || strlen(text) >= SYSTEM_FOLDER_MAX)
        return false;
    memcpy(ret_folder, text, strlen(text) + 1);
    return true;
}

enum status driver_file_stat(const char *path, uint64_t *ret_size, int64_t *ret_changed,
                             struct err *err)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    wchar_t *wide AUTO_FREE = wide_from_utf8(path);
    if (wide == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    if (!GetFileAttributesExW(wide, GetFileExInfoStandard, &data))
        return wide_last_error(err, "look at a driver's file");
    if ((data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
        return err_set(err, ST_NOT_FOUND, "a driver's file is a folder");
    *ret_size = (uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow;
    *ret_changed = (int64_t)((uint64_t)data.ftLastWriteTime.dwHighDateTime << 32 |
                             data.ftLastWriteTime.dwLowDateTime);
    return ST_OK;
}

void driver_file_done(struct driver_bytes *bytes)
{
    if (bytes->data != NULL)
        VirtualFree(bytes->data, 0, MEM_RELEASE);
    *bytes = (struct driver_bytes){NULL, 0};
}

/* Read, not mapped: a mapping keeps an updater from replacing the file, and a disk that fails under
 * a mapping ends the process. */
enum status driver_file_read(const char *path, struct driver_bytes *ret_bytes, struct err *err)
{
    struct driver_bytes bytes AUTO_DRIVER_BYTES = {NULL, 0};
    LARGE_INTEGER size;
    wchar_t *wide AUTO_FREE = wide_from_utf8(path);
    if (wide == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    HANDLE file AUTO_HANDLE =
        CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, FILE_FLAG_SEQUENTIAL_SCAN, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return wide_last_error(err, "open a driver's file");
    if (GetFileType(file) != FILE_TYPE_DISK || !GetFileSizeEx(file, &size))
        return err_set(err, ST_IO, "could not read a driver's file: it is not a file");
    if (size.QuadPart > (LONGLONG)DRIVER_FILE_MAX)
        return err_set(err, ST_TOO_LARGE, "a driver's file is larger than 64 MB");
    if (size.QuadPart == 0)
        return err_set(err, ST_MALFORMED, "a driver's file is empty");
    size_t length = (size_t)size.QuadPart;
    bytes.data = VirtualAlloc(NULL, length, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (bytes.data == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    while (bytes.length < length) {
        size_t left = length - bytes.length;
        DWORD got = 0;
        if (!ReadFile(file, bytes.data + bytes.length, left < 65536 ? (DWORD)left : 65536, &got,
                      NULL))
            return wide_last_error(err, "read a driver's file");
        if (got == 0)
            break; /* it became shorter: what is there counts */
        bytes.length += got;
    }
    *ret_bytes = bytes;
    bytes.data = NULL;
    return ST_OK;
}

/* ---- services */

/* Last part of the ImagePath of a service; "" when it has none. */
static void service_image(HKEY services, const wchar_t *service, char ret_name[SERVICE_NAME_MAX])
{
    HKEY key AUTO_KEY = NULL;
    wchar_t image[IMAGE_PATH_BYTES / sizeof(wchar_t) + 1];
    DWORD bytes = IMAGE_PATH_BYTES, type = 0;
    ret_name[0] = '\0';
    if (RegOpenKeyExW(services, service, 0, KEY_QUERY_VALUE, &key) != ERROR_SUCCESS) {
        key = NULL;
        return;
    }
    if (RegQueryValueExW(key, L"ImagePath", NULL, &type, (BYTE *)image, &bytes) != ERROR_SUCCESS ||
        (type != REG_SZ && type != REG_EXPAND_SZ))
        return;
    image[bytes / sizeof(wchar_t)] = L'\0';
    char *text AUTO_FREE = wide_to_utf8(image);
    if (text != NULL)
        snprintf(ret_name, SERVICE_NAME_MAX, "%s", driver_file_name(text));
}

static bool service_by_image(HKEY services, const char *file_name, char ret_name[SERVICE_NAME_MAX])
{
    wchar_t name[SERVICE_KEY_MAX];
    char image[SERVICE_NAME_MAX];
    for (DWORD i = 0;; i++) {
        DWORD length = SERVICE_KEY_MAX;
        LONG error = RegEnumKeyExW(services, i, name, &length, NULL, NULL, NULL, NULL);
        if (error == ERROR_MORE_DATA)
            continue;
        if (error != ERROR_SUCCESS)
            return false;
        service_image(services, name, image);
        if (strcasecmp(image, file_name) != 0)
            continue;
        char *text AUTO_FREE = wide_to_utf8(name);
        if (text == NULL)
            return false;
        snprintf(ret_name, SERVICE_NAME_MAX, "%s", text);
        return true;
    }
}

void driver_service_name(const char *file_name, char ret_name[SERVICE_NAME_MAX])
{
    char image[SERVICE_NAME_MAX];
    HKEY services AUTO_KEY = NULL;
    snprintf(ret_name, SERVICE_NAME_MAX, "%s", file_name);
    char *dot = strrchr(ret_name, '.');
    if (dot != NULL && dot != ret_name)
        *dot = '\0';
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, SERVICES_KEY, 0, KEY_READ, &services) != ERROR_SUCCESS) {
        services = NULL;
        return;
    }
    wchar_t *guess AUTO_FREE = wide_from_utf8(ret_name);
    if (guess == NULL)
        return;
    service_image(services, guess, image);
    if (image[0] == '\0' || strcasecmp(image, file_name) != 0)
        service_by_image(services, file_name, ret_name);
}
