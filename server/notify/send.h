/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt to tell one target: HTTP POST or SMTP, by libcurl, which is included here alone (and
 * in address.c for its URL parser). No redirects, no proxy of the environment, a bounded answer, a
 * bounded time. Blocks; any thread, one call a thread.
 */
#ifndef SERVER_NOTIFY_SEND_H
#define SERVER_NOTIFY_SEND_H

#include "server/config.h"
#include "server/notify/address.h"
#include "server/notify/body.h"

#include <stdatomic.h>

/* The settings, read once. */
struct notify_settings {
    struct notify_guard guard;
    int64_t timeout_us;
    const char *ca_file; /* "": the system's */
    const char *public_url;
    const char *smtp_url; /* "": no mail */
    const char *smtp_from;
    const char *smtp_user; /* "": no sign-in */
    char smtp_password[256];
    bool smtp_plain;   /* without TLS */
    int digest_minute; /* of the day, UTC; -1: no digest */
};
/* ST_USAGE names the setting that is wrong. Reads the password file. */
enum status notify_settings_read(const struct config *config, struct notify_settings *ret_settings,
                                 struct err *err) MUST_CHECK;

struct notify_outcome {
    bool sent;
    bool hopeless;          /* the receiver will not take this one: no use in trying again */
    bool stopped;           /* by *stop */
    int64_t retry_after_us; /* the receiver's wish; 0: none */
    char error[300];        /* "" when sent */
};
/* *stop true ends it; NULL allowed. */
void notify_send(const struct notify_settings *settings, const struct notify_target *target,
                 const struct notify_message *message, const atomic_bool *stop,
                 struct notify_outcome *ret_outcome);

/* "t=SECONDS,v1=HEX": HMAC-SHA-256 with the secret over "SECONDS.BODY". */
#define NOTIFY_SIGNATURE_MAX 104 /* "t=", 31, ",v1=", 64 */
void notify_sign(const char *secret, int64_t at_us, const char *body, size_t length,
                 char ret_text[NOTIFY_SIGNATURE_MAX]);

#endif
