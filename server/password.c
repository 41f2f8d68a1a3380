/* SPDX-License-Identifier: Apache-2.0 */
#include "server/password.h"
#include "common/utf8.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

/* Above libsodium's "interactive" (2 passes): three passes over 64 MiB. Chosen: the dearest that
 * keeps a sign-in well under a second on a slow server and two at a time within 128 MiB. */
#define PASSES       3u
#define MEMORY_BYTES ((size_t)64 << 20)

_Static_assert(PASSWORD_HASH_MAX == crypto_pwhash_STRBYTES, "hashes fit");
_Static_assert(PASSES >= crypto_pwhash_OPSLIMIT_INTERACTIVE, "interactive or better");
_Static_assert(MEMORY_BYTES >= crypto_pwhash_MEMLIMIT_INTERACTIVE, "interactive or better");

/* Verified for names that do not exist, so that they cost what others cost. No password is known
 * that it is the hash of. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=3,p=1$cG9vbGZsZWV0LW5vYm9keQ$"
                             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/* Characters of valid UTF-8: bytes that begin one. */
static size_t characters(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

enum status password_check(const char *name, const char *password, size_t length, struct err *err)
{
    if (length > PASSWORD_MAX || !utf8_valid(password, length))
        return err_field(err, ST_INVALID, "password",
                         "the password must be UTF-8 of at most %u bytes", PASSWORD_MAX);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)password[i] < 0x20 || password[i] == 0x7f)
            return err_field(err, ST_INVALID, "password", "control character in the password");
    }
    if (characters(password, length) < PASSWORD_MIN)
        return err_field(err, ST_INVALID, "password",
                         "the password must have at least %u characters", PASSWORD_MIN);
    if (name != NULL && strlen(name) == length && strncasecmp(name, password, length) == 0)
        return err_field(err, ST_INVALID, "password", "the password must not be the name");
    return ST_OK;
}

enum status password_hash(const char *password, size_t length, char ret_hash[PASSWORD_HASH_MAX],
                          struct err *err)
{
    if (crypto_pwhash_str_alg(ret_hash, password, length, PASSES, MEMORY_BYTES,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return err_set(err, ST_NOMEM, "could not hash the password: out of memory");
    return ST_OK;
}

bool password_verify(const char *hash, const char *password, size_t length)
{
    char text[PASSWORD_HASH_MAX] = {0}; /* what libsodium reads has this size */
    const char *from = hash != NULL && strlen(hash) < sizeof text ? hash : nobody;
    memcpy(text, from, strlen(from));
    bool fits = crypto_pwhash_str_verify(text, password, length) == 0;
    return fits && from == hash;
}

bool password_is_old(const char *hash)
{
    char text[PASSWORD_HASH_MAX] = {0};
    if (hash == NULL || strlen(hash) >= sizeof text)
        return false;
    memcpy(text, hash, strlen(hash));
    return crypto_pwhash_str_needs_rehash(text, PASSES, MEMORY_BYTES) != 0;
}
