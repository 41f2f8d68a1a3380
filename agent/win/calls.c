/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system offers, found at run time: a name in the import table that an old Windows does
 * not have would keep the whole program from loading. DLLs come from System32 by full path, so that
 * nothing beside the exe or in the current folder is ever loaded.
 */
#include "agent/nt/nt.h"
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#define CLASS_OBJECT_TYPES 3
/* winternl.h hides these behind import library entries that we do not want. */
typedef LONG(WINAPI *query_system_fn)(ULONG, void *, ULONG, ULONG *);
typedef LONG(WINAPI *query_object_fn)(HANDLE, ULONG, void *, ULONG, ULONG *);
typedef LONG(WINAPI *get_version_fn)(OSVERSIONINFOEXW *);
typedef BOOL(WINAPI *set_dll_folders_fn)(DWORD);
typedef BOOL(WINAPI *is_wow64_fn)(HANDLE, BOOL *);
typedef BOOL(WINAPI *is_wow64_2_fn)(HANDLE, USHORT *, USHORT *);

void win_restrict_dlls(void)
{
    SetDllDirectoryW(L""); /* takes the current folder out of the search; XP SP1 and later */
    set_dll_folders_fn set =
        (set_dll_folders_fn)(void *)win_function(L"kernel32.dll", "SetDefaultDllDirectories");
    if (set != NULL)
        set(LOAD_LIBRARY_SEARCH_SYSTEM32);
}

void (*win_function(const wchar_t *dll, const char *name))(void)
{
    wchar_t path[MAX_PATH * 2];
    HMODULE module = GetModuleHandleW(dll);
    if (module == NULL) {
        UINT length = GetSystemDirectoryW(path, MAX_PATH);
        if (length == 0 || length >= MAX_PATH || wcslen(dll) >= MAX_PATH - 1)
            return NULL;
        path[length] = L'\\';
        memcpy(path + length + 1, dll, (wcslen(dll) + 1) * sizeof *dll);
        module = LoadLibraryExW(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    }
    return module == NULL ? NULL : (void (*)(void))(void *)GetProcAddress(module, name);
}

static struct {
    query_system_fn query_system;
    query_object_fn query_object;
} nt;

static int32_t query_system(void *arg, uint32_t information_class, void *buffer, uint32_t length,
                            uint32_t *ret_length)
{
    (void)arg;
    if (nt.query_system == NULL)
        return NT_NOT_IMPLEMENTED;
    ULONG written = 0;
    LONG status = nt.query_system(information_class, buffer, length, &written);
    *ret_length = written;
    return status;
}

static int32_t query_object_types(void *arg, void *buffer, uint32_t length, uint32_t *ret_length)
{
    (void)arg;
    if (nt.query_object == NULL)
        return NT_NOT_IMPLEMENTED;
    ULONG written = 0;
    LONG status = nt.query_object(NULL, CLASS_OBJECT_TYPES, buffer, length, &written);
    *ret_length = written;
    return status;
}

static uint64_t buffer_address(void *arg, const void *buffer)
{
    (void)arg;
    return (uint64_t)(uintptr_t)buffer;
}

/* The update revision is in the registry only; Windows 10 and later. */
static unsigned read_revision(void)
{
    AUTO_KEY HKEY key = NULL;
    DWORD revision = 0, type = 0, size = sizeof revision;
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", 0,
                      KEY_QUERY_VALUE | KEY_WOW64_64KEY, &key) != ERROR_SUCCESS ||
        RegQueryValueExW(key, L"UBR", NULL, &type, (BYTE *)&revision, &size) != ERROR_SUCCESS ||
        type != REG_DWORD)
        return 0;
    return revision;
}

/* What runs below: IMAGE_FILE_MACHINE_*; 0 when this Windows cannot tell. */
static USHORT native_machine(USHORT *ret_process)
{
    USHORT native = 0;
    *ret_process = 0;
    is_wow64_2_fn ask = (is_wow64_2_fn)(void *)win_function(L"kernel32.dll", "IsWow64Process2");
    if (ask != NULL && !ask(GetCurrentProcess(), ret_process, &native))
        native = 0;
    return native;
}

static void read_version(struct nt_version *version)
{
    OSVERSIONINFOEXW info = {.dwOSVersionInfoSize = sizeof info};
    USHORT process;
    get_version_fn get = (get_version_fn)(void *)win_function(L"ntdll.dll", "RtlGetVersion");
    if (get != NULL && get(&info) == 0) {
        version->major = info.dwMajorVersion;
        version->minor = info.dwMinorVersion;
        version->build = info.dwBuildNumber;
        version->server = info.wProductType != VER_NT_WORKSTATION;
    }
    version->revision = read_revision();
    version->arch = sizeof(void *) == 8 ? NT_X64 : NT_X86;
    version->arm64 = native_machine(&process) == IMAGE_FILE_MACHINE_ARM64;
}

const struct nt_calls *win_calls(void)
{
    static struct nt_calls calls; /* filled once, by the first thread, before there are others */
    if (calls.query_system == NULL) {
        nt.query_system =
            (query_system_fn)(void *)win_function(L"ntdll.dll", "NtQuerySystemInformation");
        nt.query_object = (query_object_fn)(void *)win_function(L"ntdll.dll", "NtQueryObject");
        read_version(&calls.version);
        calls.simulated = win_is_wine();
        calls.query_object_types = query_object_types;
        calls.buffer_address = buffer_address;
        calls.query_system = query_system;
    }
    return &calls;
}

bool win_is_wine(void)
{
    return win_function(L"ntdll.dll", "wine_get_version") != NULL;
}

enum status win_check_native(struct err *err)
{
    USHORT process;
    USHORT native = native_machine(&process);
    BOOL wow64 = process != IMAGE_FILE_MACHINE_UNKNOWN;
    if (native == 0) { /* before Windows 10 1511 */
        is_wow64_fn ask = (is_wow64_fn)(void *)win_function(L"kernel32.dll", "IsWow64Process");
        if (ask == NULL || !ask(GetCurrentProcess(), &wow64))
            wow64 = FALSE;
    }
    if (!wow64)
        return ST_OK;
    enum status st = err_set(err, ST_UNSUPPORTED,
                             "could not read the kernel: this is the x86 program on 64-bit Windows,"
                             " which hides the kernel's tables from it");
    if (err != NULL)
        snprintf(err->hint, sizeof err->hint, "install the x64 package%s instead",
                 native == IMAGE_FILE_MACHINE_ARM64 ? " (Windows 11 on ARM64 runs it)" : "");
    return st;
}

enum status win_kernel_open(const struct settings *settings, struct win_kernel *ret_kernel,
                            struct err *err)
{
    const char *folder = settings_text(settings, SETTING_REPLAY);
    struct win_kernel kernel = {NULL, NULL};
    if (*folder == '\0') {
        kernel.calls = win_calls();
    } else {
        enum status st = nt_replay_open(folder, &kernel.replay, err);
        if (st != ST_OK)
            return st;
        kernel.calls = nt_replay_calls(kernel.replay);
    }
    *ret_kernel = kernel;
    return ST_OK;
}

void win_kernel_close(struct win_kernel *kernel)
{
    if (kernel->replay != NULL)
        nt_replay_close(kernel->replay);
    *kernel = (struct win_kernel){NULL, NULL};
}

const char *win_kernel_label(const struct win_kernel *kernel)
{
    if (kernel->replay != NULL)
        return "simulated: recorded answers of another kernel (Replay), not of this computer";
    if (kernel->calls->simulated)
        return "simulated: Wine, which has no Windows kernel";
    return NULL;
}
