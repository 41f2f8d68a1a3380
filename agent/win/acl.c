/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may touch the data folder. It holds the host's token and decides what is sent in the host's
 * name, so nobody but the system, administrators and the service itself may read or write it:
 *
 *   D:PAI                 these entries only; nothing is inherited from the folder above
 *   (A;OICI;FA;;;SY)      SYSTEM: everything, also in files and folders below
 *   (A;OICI;FA;;;BA)      Administrators: everything
 *   (A;OICI;0x1301bf;;;S) the service: read, write, delete; not change rights or owner
 *
 * %ProgramData% lets every user make folders, so one that is already there counts only when it
 * belongs to someone of this list.
 */
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#include <sddl.h>

/* NT SERVICE\PoolfleetAgent: 80, then the SHA-1 of the upper-case name in UTF-16 as five numbers.
 */
#define SERVICE_SID L"S-1-5-80-2365460162-159673526-4147384787-4260603818-976725308"
#define SDDL_MAX    512 /* the texts below and one SID of at most 184 characters */

static const wchar_t sddl_base[] =
    L"D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;" SERVICE_SID L")";

bool win_is_admin(void)
{
    BOOL member = FALSE;
    AUTO_LOCAL PSID sid = NULL;
    return ConvertStringSidToSidW(L"S-1-5-32-544", &sid) &&
           CheckTokenMembership(NULL, sid, &member) && member;
}

/* The SID of whom this process runs as, as text; owned by caller (LocalFree). NULL: unknown. */
static wchar_t *own_sid(void)
{
    AUTO_HANDLE HANDLE token = NULL;
    union {
        TOKEN_USER user;
        unsigned char bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } information;
    DWORD length = 0;
    wchar_t *text = NULL;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token) ||
        !GetTokenInformation(token, TokenUser, &information, sizeof information, &length) ||
        !ConvertSidToStringSidW(information.user.User.Sid, &text))
        return NULL;
    return text;
}

static void add_text(wchar_t text[SDDL_MAX], const wchar_t *more)
{
    size_t length = wcslen(text), room = SDDL_MAX - length;
    if (wcslen(more) < room)
        memcpy(text + length, more, (wcslen(more) + 1) * sizeof *more);
}

static enum status make_descriptor(bool service_account, PSECURITY_DESCRIPTOR *ret_descriptor,
                                   struct err *err)
{
    wchar_t sddl[SDDL_MAX] = L"";
    AUTO_LOCAL wchar_t *own = own_sid();
    bool admin = win_is_admin();
    if (admin)
        add_text(sddl, L"O:BAG:BA"); /* others may not give a folder away */
    add_text(sddl, sddl_base);
    if (service_account)
        add_text(sddl, L"(A;OICI;0x1301bf;;;LS)");
    /* `run` by a user who is no administrator: a folder of the user's own. */
    if (!admin && own != NULL) {
        add_text(sddl, L"(A;OICI;FA;;;");
        add_text(sddl, own);
        add_text(sddl, L")");
    }
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, ret_descriptor,
                                                              NULL))
        return wide_last_error(err, "make the rights of the data folder");
    return ST_OK;
}

/* Does an existing folder belong to someone who could change it anyway? */
static bool owner_trusted(const wchar_t *folder)
{
    static const wchar_t *const trusted[] = {L"S-1-5-18", L"S-1-5-32-544", L"S-1-5-19",
                                             SERVICE_SID};
    PSID owner = NULL;
    BOOL defaulted;
    DWORD length = 0;
    (void)GetFileSecurityW(folder, OWNER_SECURITY_INFORMATION, NULL, 0, &length);
    AUTO_FREE void *descriptor = malloc(length == 0 ? 1 : length);
    AUTO_LOCAL wchar_t *text = NULL;
    AUTO_LOCAL wchar_t *own = own_sid();
    if (length == 0 || descriptor == NULL ||
        !GetFileSecurityW(folder, OWNER_SECURITY_INFORMATION, descriptor, length, &length) ||
        !GetSecurityDescriptorOwner(descriptor, &owner, &defaulted) || owner == NULL ||
        !ConvertSidToStringSidW(owner, &text))
        return false;
    for (size_t i = 0; i < sizeof trusted / sizeof trusted[0]; i++) {
        if (wcscmp(text, trusted[i]) == 0)
            return true;
    }
    return own != NULL && wcscmp(text, own) == 0;
}

static enum status take_over(const wchar_t *folder, PSECURITY_DESCRIPTOR descriptor,
                             struct err *err)
{
    AUTO_FREE char *shown = wide_to_utf8(folder);
    DWORD attributes = GetFileAttributesW(folder);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return wide_last_error(err, "look at the data folder");
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return err_set(err, ST_CONFLICT, "could not use data folder \"%s\": it is a file",
                       shown == NULL ? "" : shown);
    if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
        return err_set(err, ST_FORBIDDEN,
                       "could not use data folder \"%s\": it is a link elsewhere",
                       shown == NULL ? "" : shown);
    if (!owner_trusted(folder)) {
        enum status st = err_set(err, ST_FORBIDDEN,
                                 "could not use data folder \"%s\": it belongs to another account",
                                 shown == NULL ? "" : shown);
        if (err != NULL)
            snprintf(err->hint, sizeof err->hint, "look who made it, remove it and try again");
        return st;
    }
    SECURITY_INFORMATION what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    if (win_is_admin())
        what |= OWNER_SECURITY_INFORMATION;
    if (!SetFileSecurityW(folder, what, descriptor))
        return wide_last_error(err, "set the rights of the data folder");
    return ST_OK;
}

static enum status secure_folder(const wchar_t *folder, PSECURITY_DESCRIPTOR descriptor,
                                 struct err *err)
{
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, descriptor, FALSE};
    if (CreateDirectoryW(folder, &attributes))
        return ST_OK;
    if (GetLastError() != ERROR_ALREADY_EXISTS)
        return wide_last_error(err, "make the data folder");
    return take_over(folder, descriptor, err);
}

enum status win_acl_folder(const wchar_t *folder, bool service_account, struct err *err)
{
    AUTO_LOCAL PSECURITY_DESCRIPTOR descriptor = NULL;
    AUTO_FREE char *usual_utf8 = win_default_data_folder();
    AUTO_FREE wchar_t *usual = usual_utf8 == NULL ? NULL : wide_from_utf8(usual_utf8);
    enum status st = make_descriptor(service_account, &descriptor, err);
    if (st != ST_OK)
        return st;
    /* The folder above is ours too, when it is the usual one: who owns it could swap ours. */
    if (usual != NULL && _wcsicmp(usual, folder) == 0) {
        wchar_t *last = wcsrchr(usual, L'\\');
        if (last != NULL) {
            *last = L'\0';
            st = secure_folder(usual, descriptor, err);
            if (st != ST_OK)
                return st;
        }
    }
    return secure_folder(folder, descriptor, err);
}
