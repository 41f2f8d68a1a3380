/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's own TLS: a certificate with its chain and its private key, read from two PEM files,
 * checked, and kept as one immutable pair. A connection holds a reference to the pair it began
 * with; reading the files again swaps the pair for new connections and disturbs no open one. All
 * functions are thread-safe.
 */
#ifndef SERVER_HTTP_TLS_H
#define SERVER_HTTP_TLS_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

/* TLS 1.2 and 1.3, only key exchanges with forward secrecy, and the server's order. CBC stays: the
 * oldest Windows with TLS 1.2 has nothing else together with an RSA certificate. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:%SERVER_PRECEDENCE"

struct tls;
struct tls_pair; /* a certificate, its chain and its key; counted */

/* What a person should know though the pair works. */
struct tls_facts {
    int64_t expires_at_us; /* of the server's own certificate */
    bool expired;          /* or not valid yet */
    bool key_exposed;      /* others than owner and group can read the key's file */
};

/* False for NULL and "". */
bool tls_wanted(const char *cert_path, const char *key_path);
/* Reads and checks the files without keeping anything. ST_USAGE with field "tls_cert" or "tls_key":
 * one without the other, could not be read, not PEM, encrypted, key of another certificate. */
enum status tls_check(const char *cert_path, const char *key_path, struct tls_facts *ret_facts,
                      struct err *err) MUST_CHECK;

/* As tls_check, and keeps the pair and the paths. Free with tls_free. */
enum status tls_new(const char *cert_path, const char *key_path, struct tls **ret_tls,
                    struct tls_facts *ret_facts, struct err *err) MUST_CHECK;
void tls_free(struct tls *tls); /* NULL allowed; all pairs are released */
/* Reads the files again. On failure the pair that was there stays. */
enum status tls_reload(struct tls *tls, struct tls_facts *ret_facts, struct err *err) MUST_CHECK;

/* For a new connection, before its handshake: `session` (a gnutls_session_t) uses the present pair,
 * which lives until it is released. NULL when the session cannot use it: the handshake fails. */
struct tls_pair *tls_attach(struct tls *tls, void *session);
/* After the session is gone. NULL allowed. */
void tls_release(struct tls_pair *pair);

#endif
