/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/win/hash.h"
#include "agent/win/win.h"

#include "agent/win/system.h"

#include <bcrypt.h>
#include <wincrypt.h>

typedef NTSTATUS(WINAPI *open_provider_fn)(BCRYPT_ALG_HANDLE *, LPCWSTR, LPCWSTR, ULONG);
typedef NTSTATUS(WINAPI *create_hash_fn)(BCRYPT_ALG_HANDLE, BCRYPT_HASH_HANDLE *, PUCHAR, ULONG,
                                         PUCHAR, ULONG, ULONG);
typedef NTSTATUS(WINAPI *hash_data_fn)(BCRYPT_HASH_HANDLE, PUCHAR, ULONG, ULONG);
typedef NTSTATUS(WINAPI *finish_hash_fn)(BCRYPT_HASH_HANDLE, PUCHAR, ULONG, ULONG);
typedef NTSTATUS(WINAPI *destroy_hash_fn)(BCRYPT_HASH_HANDLE);
typedef NTSTATUS(WINAPI *close_provider_fn)(BCRYPT_ALG_HANDLE, ULONG);

struct cng {
    open_provider_fn open;
    create_hash_fn create;
    hash_data_fn data;
    finish_hash_fn finish;
    destroy_hash_fn destroy;
    close_provider_fn close;
};

/* The hash's own buffers are of 32-bit length; more is given in pieces. */
#define HASH_PIECE (16u << 20)

static bool cng_open(struct cng *cng)
{
    static const wchar_t dll[] = L"bcrypt.dll";
    cng->open = (open_provider_fn)win_function(dll, "BCryptOpenAlgorithmProvider");
    cng->create = (create_hash_fn)win_function(dll, "BCryptCreateHash");
    cng->data = (hash_data_fn)win_function(dll, "BCryptHashData");
    cng->finish = (finish_hash_fn)win_function(dll, "BCryptFinishHash");
    cng->destroy = (destroy_hash_fn)win_function(dll, "BCryptDestroyHash");
    cng->close = (close_provider_fn)win_function(dll, "BCryptCloseAlgorithmProvider");
    return cng->open != NULL && cng->create != NULL && cng->data != NULL && cng->finish != NULL &&
           cng->destroy != NULL && cng->close != NULL;
}

static bool cng_sha256(const struct cng *cng, const unsigned char *data, size_t length,
                       unsigned char digest[SHA256_BYTES])
{
    BCRYPT_ALG_HANDLE algorithm = NULL;
    BCRYPT_HASH_HANDLE hash = NULL;
    bool done = false;
    if (cng->open(&algorithm, BCRYPT_SHA256_ALGORITHM, NULL, 0) != 0)
        return false;
    if (cng->create(algorithm, &hash, NULL, 0, NULL, 0, 0) == 0) {
        done = true;
        while (done && length > 0) {
            ULONG piece = (ULONG)(length < HASH_PIECE ? length : HASH_PIECE);
            done = cng->data(hash, (PUCHAR)(uintptr_t)data, piece, 0) == 0;
            data += piece;
            length -= piece;
        }
        done = done && cng->finish(hash, digest, SHA256_BYTES, 0) == 0;
        cng->destroy(hash);
    }
    cng->close(algorithm, 0);
    return done;
}

/* Server 2003: the AES provider knows SHA-256 from SP1 on. */
static bool capi_sha256(const unsigned char *data, size_t length,
                        unsigned char digest[SHA256_BYTES])
{
    HCRYPTPROV provider = 0;
    HCRYPTHASH hash = 0;
    bool done = false;
    if (!CryptAcquireContextW(&provider, NULL, NULL, PROV_RSA_AES,
                              CRYPT_VERIFYCONTEXT | CRYPT_SILENT))
        return false;
    if (CryptCreateHash(provider, CALG_SHA_256, 0, 0, &hash)) {
        done = true;
        while (done && length > 0) {
            DWORD piece = (DWORD)(length < HASH_PIECE ? length : HASH_PIECE);
            done = CryptHashData(hash, data, piece, 0);
            data += piece;
            length -= piece;
        }
        DWORD size = SHA256_BYTES;
        done =
            done && CryptGetHashParam(hash, HP_HASHVAL, digest, &size, 0) && size == SHA256_BYTES;
        CryptDestroyHash(hash);
    }
    CryptReleaseContext(provider, 0);
    return done;
}

enum status win_sha256(const void *data, size_t length, unsigned char ret_digest[SHA256_BYTES],
                       struct err *err)
{
    struct cng cng;
    if (cng_open(&cng) && cng_sha256(&cng, data, length, ret_digest))
        return ST_OK;
    if (capi_sha256(data, length, ret_digest))
        return ST_OK;
    return err_set(err, ST_UNSUPPORTED, "could not hash: this system has no SHA-256");
}

void win_hex(const unsigned char *bytes, size_t length, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * length] = '\0';
}
