/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each session is given the pair's credentials when its connection opens, in place of the daemon's
 * empty ones: a session then never looks at anything that a reload changes.
 */
#include "server/http/tls.h"
#include "common/clock.h"
#include "common/strbuf.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define PEM_BYTES_MAX (1u << 20) /* a chain of ten certificates is 20 KB */

struct tls_pair {
    _Atomic unsigned refs;
    gnutls_certificate_credentials_t credentials;
};

struct tls {
    char *cert_path;
    char *key_path;
    pthread_mutex_t lock;
    struct tls_pair *pair; /* the present one; holds a reference */
};

/* ---- reading ---------------------------------------------------------------- */

/* The key's text goes through here too: nothing of it stays behind. */
static void wipe(struct strbuf *text)
{
    if (text->data != NULL)
        sodium_memzero(text->data, text->capacity);
    strbuf_done(text);
}

static enum status no_memory(struct err *err)
{
    return err_set(err, ST_NOMEM, "could not read the certificate: out of memory");
}

static enum status read_pem(const char *path, const char *field, struct strbuf *ret_text,
                            mode_t *ret_mode, struct err *err)
{
    AUTO_FILE FILE *file = fopen(path, "re");
    struct stat info;
    /* Unbuffered: stdio would leave a copy behind. */
    if (file == NULL || setvbuf(file, NULL, _IONBF, 0) != 0 || fstat(fileno(file), &info) != 0)
        return err_field(err, ST_USAGE, field, "could not open \"%s\": %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return err_field(err, ST_USAGE, field, "could not read \"%s\": not a file", path);
    if (info.st_size > (off_t)PEM_BYTES_MAX)
        return err_field(err, ST_USAGE, field, "could not read \"%s\": over %u bytes", path,
                         PEM_BYTES_MAX);
    if (!strbuf_reserve(ret_text, (size_t)info.st_size))
        return no_memory(err);
    ret_text->length = fread(ret_text->data, 1, (size_t)info.st_size, file);
    ret_text->data[ret_text->length] = '\0';
    if (ferror(file))
        return err_field(err, ST_USAGE, field, "could not read \"%s\": %s", path, strerror(errno));
    *ret_mode = info.st_mode;
    return ST_OK;
}

struct chain {
    gnutls_x509_crt_t *items; /* the server's own first */
    unsigned count;
};

static void chain_done(struct chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        gnutls_x509_crt_deinit(chain->items[i]);
    gnutls_free(chain->items);
    *chain = (struct chain){NULL, 0};
}

static void cleanup_key(gnutls_x509_privkey_t *key)
{
    if (*key != NULL)
        gnutls_x509_privkey_deinit(*key);
}

static enum status read_chain(const char *path, struct chain *ret_chain, struct err *err)
{
    CLEANUP(wipe) struct strbuf text = STRBUF_INIT;
    mode_t mode;
    enum status status = read_pem(path, "tls_cert", &text, &mode, err);
    if (status != ST_OK)
        return status;
    gnutls_datum_t pem = {(unsigned char *)text.data, (unsigned)text.length};
    int rc = gnutls_x509_crt_list_import2(&ret_chain->items, &ret_chain->count, &pem,
                                          GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);
    if (rc < 0 || ret_chain->count == 0) {
        *ret_chain = (struct chain){NULL, 0};
        return err_field(err, ST_USAGE, "tls_cert", "could not read a certificate in \"%s\": %s",
                         path, rc < 0 ? gnutls_strerror(rc) : "there is none");
    }
    return ST_OK;
}

static enum status read_key(const char *path, gnutls_x509_privkey_t *ret_key, bool *ret_exposed,
                            struct err *err)
{
    CLEANUP(wipe) struct strbuf text = STRBUF_INIT;
    mode_t mode;
    enum status status = read_pem(path, "tls_key", &text, &mode, err);
    if (status != ST_OK)
        return status;
    *ret_exposed = (mode & (S_IROTH | S_IWOTH)) != 0;
    gnutls_datum_t pem = {(unsigned char *)text.data, (unsigned)text.length};
    int rc = gnutls_x509_privkey_init(ret_key);
    if (rc >= 0)
        rc = gnutls_x509_privkey_import2(*ret_key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc >= 0)
        return ST_OK;
    bool encrypted = rc == GNUTLS_E_DECRYPTION_FAILED ||
                     strstr(text.data, "BEGIN ENCRYPTED") != NULL ||
                     strstr(text.data, "Proc-Type: 4,ENCRYPTED") != NULL;
    return err_field(err, ST_USAGE, "tls_key", "could not read a private key in \"%s\": %s", path,
                     encrypted ? "it is encrypted, a key without passphrase is wanted"
                               : gnutls_strerror(rc));
}

static void read_times(gnutls_x509_crt_t cert, struct tls_facts *facts)
{
    int64_t now = clock_wall_us() / US_PER_SECOND;
    time_t ends = gnutls_x509_crt_get_expiration_time(cert);
    time_t begins = gnutls_x509_crt_get_activation_time(cert);
    facts->expires_at_us = (int64_t)ends * US_PER_SECOND;
    facts->expired = ends <= now || begins > now;
}

/* ---- pairs ------------------------------------------------------------------ */

void tls_release(struct tls_pair *pair)
{
    if (pair == NULL || atomic_fetch_sub(&pair->refs, 1) != 1)
        return;
    if (pair->credentials != NULL)
        gnutls_certificate_free_credentials(pair->credentials);
    free(pair);
}

static void cleanup_pair(struct tls_pair **pair)
{
    tls_release(*pair);
}

static enum status make_pair(const char *cert_path, const char *key_path,
                             struct tls_pair **ret_pair, struct tls_facts *ret_facts,
                             struct err *err)
{
    CLEANUP(chain_done) struct chain chain = {NULL, 0};
    CLEANUP(cleanup_key) gnutls_x509_privkey_t key = NULL;
    CLEANUP(cleanup_pair) struct tls_pair *pair = NULL;
    struct tls_facts facts = {0};
    enum status status = read_chain(cert_path, &chain, err);
    if (status == ST_OK)
        status = read_key(key_path, &key, &facts.key_exposed, err);
    if (status != ST_OK)
        return status;
    read_times(chain.items[0], &facts);
    pair = calloc(1, sizeof *pair);
    if (pair == NULL)
        return no_memory(err);
    atomic_init(&pair->refs, 1);
    if (gnutls_certificate_allocate_credentials(&pair->credentials) < 0)
        return no_memory(err);
    int rc = gnutls_certificate_set_x509_key(pair->credentials, chain.items, (int)chain.count, key);
    if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return err_field(err, ST_USAGE, "tls_key",
                         "the key in \"%s\" does not belong to the first certificate in \"%s\"",
                         key_path, cert_path);
    if (rc < 0)
        return err_field(err, ST_USAGE, "tls_cert", "could not use the certificate in \"%s\": %s",
                         cert_path, gnutls_strerror(rc));
    *ret_facts = facts;
    *ret_pair = TAKE(pair);
    return ST_OK;
}

bool tls_wanted(const char *cert_path, const char *key_path)
{
    return (cert_path != NULL && cert_path[0] != '\0') || (key_path != NULL && key_path[0] != '\0');
}

static enum status load(const char *cert_path, const char *key_path, struct tls_pair **ret_pair,
                        struct tls_facts *ret_facts, struct err *err)
{
    if (cert_path == NULL || cert_path[0] == '\0')
        return err_field(err, ST_USAGE, "tls_cert", "tls_key is set, so tls_cert is wanted too");
    if (key_path == NULL || key_path[0] == '\0')
        return err_field(err, ST_USAGE, "tls_key", "tls_cert is set, so tls_key is wanted too");
    return make_pair(cert_path, key_path, ret_pair, ret_facts, err);
}

enum status tls_check(const char *cert_path, const char *key_path, struct tls_facts *ret_facts,
                      struct err *err)
{
    CLEANUP(cleanup_pair) struct tls_pair *pair = NULL;
    return load(cert_path, key_path, &pair, ret_facts, err);
}

enum status tls_new(const char *cert_path, const char *key_path, struct tls **ret_tls,
                    struct tls_facts *ret_facts, struct err *err)
{
    CLEANUP(cleanup_pair) struct tls_pair *pair = NULL;
    enum status status = load(cert_path, key_path, &pair, ret_facts, err);
    if (status != ST_OK)
        return status;
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return no_memory(err);
    pthread_mutex_init(&tls->lock, NULL);
    tls->cert_path = strdup(cert_path);
    tls->key_path = strdup(key_path);
    tls->pair = TAKE(pair);
    if (tls->cert_path == NULL || tls->key_path == NULL) {
        tls_free(tls);
        return no_memory(err);
    }
    *ret_tls = tls;
    return ST_OK;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    tls_release(tls->pair);
    pthread_mutex_destroy(&tls->lock);
    free(tls->cert_path);
    free(tls->key_path);
    free(tls);
}

enum status tls_reload(struct tls *tls, struct tls_facts *ret_facts, struct err *err)
{
    struct tls_pair *pair = NULL;
    enum status status = load(tls->cert_path, tls->key_path, &pair, ret_facts, err);
    if (status != ST_OK)
        return status;
    pthread_mutex_lock(&tls->lock);
    struct tls_pair *before = tls->pair;
    tls->pair = pair;
    pthread_mutex_unlock(&tls->lock);
    tls_release(before);
    return ST_OK;
}

struct tls_pair *tls_attach(struct tls *tls, void *session)
{
    pthread_mutex_lock(&tls->lock);
    struct tls_pair *pair = tls->pair;
    atomic_fetch_add(&pair->refs, 1);
    pthread_mutex_unlock(&tls->lock);
    if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, pair->credentials) >= 0)
        return pair;
    tls_release(pair);
    return NULL;
}
