/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords of people: Argon2id by libsodium, each with its own salt, its limits written into the
 * hash, so that raising them here changes stored ones at their next sign-in.
 *
 * One hash costs about 0.1 s of a core and 64 MiB (docs/people.md has the measured time): whoever
 * calls this bounds how many run at once (http_slow). Pure; any thread.
 */
#ifndef SERVER_PASSWORD_H
#define SERVER_PASSWORD_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_MIN      10u  /* characters; NIST SP 800-63B asks for 8 with a second factor */
#define PASSWORD_MAX      256u /* bytes; beyond it is no password but a way to keep us busy */
#define PASSWORD_HASH_MAX 128  /* crypto_pwhash_STRBYTES */

/* ST_INVALID with field "password": too short, too long, not UTF-8, control characters, or the
 * name itself. */
enum status password_check(const char *name, const char *password, size_t length,
                           struct err *err) MUST_CHECK;
/* ST_NOMEM when there are no 64 MiB. */
enum status password_hash(const char *password, size_t length, char ret_hash[PASSWORD_HASH_MAX],
                          struct err *err) MUST_CHECK;
/* hash NULL: nobody's; the same work is done, and the answer is no. */
bool password_verify(const char *hash, const char *password, size_t length);
/* Made with other limits than those of today. */
bool password_is_old(const char *hash);

#endif
