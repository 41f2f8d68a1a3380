/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings. One table row each (config.c): key, kind, range, default, help. From there come the
 * flags (--database-url), the environment (POOLFLEET_DATABASE_URL), the file (database_url = ...),
 * --help and the sample file. Flag over environment over file over default. Unknown keys and bad
 * values are errors that name the setting and where it was set.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "common/cleanup.h"
#include "common/status.h"
#include "common/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct config {
    const char *database_url;
    const char *listen;            /* "127.0.0.1:8080"; port 0: any free one */
    bool insecure_http;            /* plain HTTP on other addresses than loopback */
    const char *tls_cert;          /* PEM file with the certificate and its chain; "": plain HTTP */
    const char *tls_key;           /* PEM file with its private key; both or neither */
    const char *trusted_proxy;     /* "127.0.0.1, 10.1.0.0/16"; "": none */
    const char *proxy_user_header; /* "": no sign-on by a proxy */
    const char *proxy_role_header; /* "": the role is the account's */
    const char *web_root;          /* serve the page from this folder instead; "" : embedded */
    const char *ready_file;        /* write "ADDR:PORT\n" there once listening; "": none */
    const char *log_level;
    int64_t http_threads;
    int64_t http_connections;
    int64_t database_connections;
    int64_t database_timeout_us;
    int64_t queue_bytes;
    int64_t retention_us;
    int64_t rollup_retention_us;
    int64_t keyframe_us;
    int64_t analyze_interval_us; /* 0: never by itself */
    int64_t session_us;
    int64_t agent_interval_us;  /* between two snapshots of an agent, as it is told */
    int64_t enroll_cooldown_us; /* one machine enrolls no more often; 0: as often as it likes */
    const char *public_url;     /* the page's address as people see it, for links; "" */
    bool notify_allow_http;     /* webhooks over plain HTTP */
    const char *notify_allow_private; /* networks that webhooks may reach though not public */
    const char *notify_ca;            /* PEM file of authorities for webhooks and mail; "" */
    int64_t notify_timeout_us;        /* of one attempt */
    int64_t notify_retry_us;          /* the first retry comes within this, later ones double it */
    int64_t notify_give_up_us;        /* after this long a delivery is given up */
    const char *smtp_url;             /* "": no mail */
    const char *smtp_from;
    const char *smtp_user;
    const char *smtp_password_file;
    bool smtp_plain;            /* mail without TLS */
    const char *digest_at;      /* "HH:MM" UTC; "": no digest */
    struct config_texts *texts; /* owns the texts */
};

/* What was on the command line after the settings were taken out. */
struct config_args {
    char **items; /* borrowed from argv */
    int count;
};

/* Reads --config FILE, the environment and the flags among argv. ST_USAGE with the setting's
 * name. ret_rest keeps what is no setting, in order. */
enum status config_load(int argc, char **argv, struct config *ret_config,
                        struct config_args *ret_rest, struct err *err) MUST_CHECK;
void config_done(struct config *config);
#define AUTO_CONFIG CLEANUP(config_done)

/* "90s", "5m", "1h", "30d", as the settings are written. False for anything else. */
bool config_duration(const char *text, int64_t *ret_us);

void config_print_help(struct strbuf *out);   /* one line a setting, for --help */
void config_print_sample(struct strbuf *out); /* the sample file */
/* Every value with the place it came from; secrets (a password in the URL) are hidden. */
void config_print_effective(const struct config *config, struct strbuf *out);

#endif
