/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets at rest. DPAPI's machine scope: the service account has no profile to speak of, and any
 * account of this machine could ask DPAPI for the same, so the entropy below only keeps other
 * programs from reading it by accident. What protects the file is the folder's rights (acl.c); what
 * DPAPI adds is that a copy of the file is worth nothing on another machine.
 */
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#include <wincrypt.h>

/* Part of the format: other bytes make every stored token unreadable. */
static unsigned char entropy[] = "poolfleet-agent-vault-1";

static enum status take_blob(DATA_BLOB *blob, struct strbuf *out, struct err *err)
{
    strbuf_clear(out);
    strbuf_add(out, blob->pbData, blob->cbData);
    SecureZeroMemory(blob->pbData, blob->cbData);
    LocalFree(blob->pbData);
    if (strbuf_failed(out))
        return err_set(err, ST_NOMEM, "could not keep a secret: out of memory");
    return ST_OK;
}

static enum status protect(void *arg, const void *data, size_t length, struct strbuf *out,
                           struct err *err)
{
    (void)arg;
    DATA_BLOB in = {(DWORD)length, (BYTE *)(uintptr_t)data};
    DATA_BLOB extra = {sizeof entropy, entropy};
    DATA_BLOB result = {0, NULL};
    if (!CryptProtectData(&in, L"Poolfleet Agent", &extra, NULL, NULL,
                          CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN, &result))
        return wide_last_error(err, "encrypt a secret");
    return take_blob(&result, out, err);
}

static enum status unprotect(void *arg, const void *data, size_t length, struct strbuf *out,
                             struct err *err)
{
    (void)arg;
    DATA_BLOB in = {(DWORD)length, (BYTE *)(uintptr_t)data};
    DATA_BLOB extra = {sizeof entropy, entropy};
    DATA_BLOB result = {0, NULL};
    if (!CryptUnprotectData(&in, NULL, &extra, NULL, NULL, CRYPTPROTECT_UI_FORBIDDEN, &result))
        return wide_last_error(err, "decrypt a secret");
    return take_blob(&result, out, err);
}

const struct vault *win_vault(void)
{
    static const struct vault vault = {NULL, protect, unprotect};
    return &vault;
}
