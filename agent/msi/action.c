/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Custom actions of the MSI package. They hold no logic of their own: what must be set up is known
 * by the program that was just installed, so each starts `poolfleet-agent.exe VERB --from-installer`
 * and hands it the package's properties on its standard input, where no process list and no log
 * shows the enroll secret. What the program says goes into the installer's log.
 */
#include <windows.h>

#include <msi.h>
#include <msiquery.h>
#include <wchar.h>

#define DATA_MAX 8192 /* properties are a few hundred characters; a longer list is refused */
#define LINE_MAX 1024
#define WAIT_MS  120000 /* the program waits for the service at most 60 s */

/* CustomActionData is FOLDER|NAME=VALUE|NAME=VALUE...: none of our values may hold a '|'. */
#define SEPARATOR L'|'

/* MsiProcessMessage is not in every import library's idea of Windows 2003's msi.dll; it is in the
 * dll since 1.0. */
static void tell(MSIHANDLE install, INSTALLMESSAGE kind, const wchar_t *text)
{
    MSIHANDLE record = MsiCreateRecord(1);
    if (record == 0)
        return;
    MsiRecordSetStringW(record, 0, L"Poolfleet: [1]");
    MsiRecordSetStringW(record, 1, text);
    MsiProcessMessage(install, kind, record);
    MsiCloseHandle(record);
}

static void tell_bytes(MSIHANDLE install, const char *bytes, int length)
{
    wchar_t text[LINE_MAX + 1];
    int count = MultiByteToWideChar(CP_UTF8, 0, bytes, length, text, LINE_MAX);
    text[count] = L'\0';
    if (count > 0)
        tell(install, INSTALLMESSAGE_INFO, text);
}

/* Each line of what the program says becomes a line of the log. */
static void copy_output(MSIHANDLE install, HANDLE output)
{
    char line[LINE_MAX];
    int used = 0;
    DWORD got = 0;
    char c = 0;
    while (ReadFile(output, &c, 1, &got, NULL) && got == 1) {
        if (c == '\n' || used == LINE_MAX) {
            tell_bytes(install, line, used);
            used = 0;
        }
        if (c != '\n' && c != '\r')
            line[used++] = c;
    }
    tell_bytes(install, line, used);
}

static BOOL write_utf8(HANDLE pipe, const wchar_t *text, int length)
{
    char bytes[LINE_MAX * 3 + 1];
    DWORD wrote = 0;
    int count = WideCharToMultiByte(CP_UTF8, 0, text, length, bytes, LINE_MAX * 3, NULL, NULL);
    bytes[count] = '\n';
    BOOL ok = WriteFile(pipe, bytes, (DWORD)count + 1, &wrote, NULL);
    SecureZeroMemory(bytes, sizeof bytes);
    return ok;
}

/* NAME=VALUE parts, one a line; empty values are not given. */
static BOOL write_settings(HANDLE pipe, const wchar_t *parts)
{
    while (*parts != L'\0') {
        size_t length = wcscspn(parts, L"|");
        const wchar_t *equals = wmemchr(parts, L'=', length);
        BOOL given = equals != NULL && (size_t)(equals - parts) + 1 < length;
        if (length > LINE_MAX || (given && !write_utf8(pipe, parts, (int)length)))
            return FALSE;
        parts += length;
        if (*parts == SEPARATOR)
            parts++;
    }
    return TRUE;
}

struct pipes {
    HANDLE input_read, input_write, output_read, output_write;
};

static void close_handle(HANDLE *handle)
{
    if (*handle != NULL)
        CloseHandle(*handle);
    *handle = NULL;
}

static void close_pipes(struct pipes *pipes)
{
    close_handle(&pipes->input_read);
    close_handle(&pipes->input_write);
    close_handle(&pipes->output_read);
    close_handle(&pipes->output_write);
}

static BOOL open_pipes(struct pipes *pipes)
{
    SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
    /* The pipe holds all settings at once, so writing cannot wait for a program that does not
     * read. */
    return CreatePipe(&pipes->input_read, &pipes->input_write, &inherit, DATA_MAX * 3) &&
           CreatePipe(&pipes->output_read, &pipes->output_write, &inherit, 0) &&
           SetHandleInformation(pipes->input_write, HANDLE_FLAG_INHERIT, 0) &&
           SetHandleInformation(pipes->output_read, HANDLE_FLAG_INHERIT, 0);
}

/* The program's exit code, or 1 when it could not be run. */
static DWORD run(MSIHANDLE install, const wchar_t *folder, size_t folder_length,
                 const wchar_t *verb, const wchar_t *settings)
{
    wchar_t command[MAX_PATH * 2];
    struct pipes pipes = {NULL, NULL, NULL, NULL};
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process = {NULL, NULL, 0, 0};
    DWORD code = 1;
    if (folder_length >= MAX_PATH)
        return code;
    _snwprintf(command, MAX_PATH * 2 - 1, L"\"%.*lspoolfleet-agent.exe\" %ls --from-installer",
               (int)folder_length, folder, verb);
    command[MAX_PATH * 2 - 1] = L'\0';
    if (open_pipes(&pipes)) {
        start.hStdInput = pipes.input_read;
        start.hStdOutput = pipes.output_write;
        start.hStdError = pipes.output_write;
        if (CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &start,
                           &process)) {
            BOOL given = write_settings(pipes.input_write, settings);
            close_handle(&pipes.input_write);
            close_handle(&pipes.input_read);
            close_handle(&pipes.output_write);
            copy_output(install, pipes.output_read);
            if (WaitForSingleObject(process.hProcess, WAIT_MS) == WAIT_OBJECT_0 && given)
                GetExitCodeProcess(process.hProcess, &code);
            close_handle(&process.hThread);
            close_handle(&process.hProcess);
        } else {
            tell(install, INSTALLMESSAGE_INFO, L"could not start poolfleet-agent.exe");
        }
    }
    close_pipes(&pipes);
    return code;
}

static DWORD run_action(MSIHANDLE install, const wchar_t *verb)
{
    static wchar_t data[DATA_MAX];
    DWORD length = DATA_MAX;
    DWORD code = 1;
    if (MsiGetPropertyW(install, L"CustomActionData", data, &length) == ERROR_SUCCESS) {
        size_t folder = wcscspn(data, L"|");
        code = run(install, data, folder, verb, data + folder + (data[folder] == SEPARATOR));
    } else {
        tell(install, INSTALLMESSAGE_INFO, L"the package's properties are too long");
    }
    SecureZeroMemory(data, sizeof data);
    return code;
}

/* After the service is there: settings, rights of the service, data folder, event source. */
__declspec(dllexport) UINT WINAPI configure(MSIHANDLE install)
{
    if (run_action(install, L"install") == 0)
        return ERROR_SUCCESS;
    tell(install, INSTALLMESSAGE_ERROR,
         L"the agent could not be set up; the reason is in the installer's log above this line");
    return ERROR_INSTALL_FAILURE;
}

/* On a real removal (not on an upgrade). What is left behind must not stop the removal. */
__declspec(dllexport) UINT WINAPI unconfigure(MSIHANDLE install)
{
    run_action(install, L"uninstall");
    return ERROR_SUCCESS;
}
