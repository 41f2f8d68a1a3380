/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 by the system: CNG (bcrypt.dll, from Vista on, resolved at run time), else CryptoAPI
 * (Server 2003 SP1 and later). Nothing is initialised per call that can be kept. One thread each.
 */
#ifndef AGENT_WIN_HASH_H
#define AGENT_WIN_HASH_H

#include "agent/core/source.h"

#define SHA256_BYTES 32

/* ST_UNSUPPORTED: this system has no SHA-256; ST_NOMEM. */
enum status win_sha256(const void *data, size_t length, unsigned char ret_digest[SHA256_BYTES],
                       struct err *err) MUST_CHECK;
void win_hex(const unsigned char *bytes, size_t length, char *ret_text); /* 2 * length + NUL */

#endif
