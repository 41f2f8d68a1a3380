/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which server is the right one, when the admin says so: by authority (CaFile: only these roots
 * count, the system's do not) or by key (Pin: the SHA-256 of the server's public key as it stands
 * in its certificate, whoever signed it). With both set both must hold. Name and dates are checked
 * in any case.
 *
 * WinHTTP is told to let unknown authorities pass, and this check runs in the callback between the
 * TLS handshake and the first byte of the request, so that no token leaves before it.
 */
#include "agent/win/hash.h"
#include "agent/win/http.h"
#include "agent/win/wide.h"

#define CA_FILE_MAX     (1u << 20) /* chosen: a bundle of every public authority is 220 KB */
#define PIN_COUNT_MAX   16
#define CA_COUNT_MAX    512
#define CERTIFICATE_MAX 65536

struct http_trust {
    HCERTSTORE roots; /* of CaFile; NULL: none */
    HCERTCHAINENGINE engine;
    size_t pin_count;
    unsigned char pins[PIN_COUNT_MAX][SHA256_BYTES];
};

/* ---- CaFile */

/* One block between its BEGIN and END lines into the store. */
static bool certificate_add(HCERTSTORE store, const char *base64, size_t length)
{
    DWORD size = CERTIFICATE_MAX;
    unsigned char *der AUTO_FREE = malloc(size);
    return der != NULL && length <= CERTIFICATE_MAX &&
           CryptStringToBinaryA(base64, (DWORD)length, CRYPT_STRING_BASE64, der, &size, NULL,
                                NULL) &&
           CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der, size,
                                            CERT_STORE_ADD_USE_EXISTING, NULL);
}

static enum status roots_read(HCERTSTORE store, const char *text, struct err *err)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    static const char end[] = "-----END CERTIFICATE-----";
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, begin)) != NULL;) {
        at += sizeof begin - 1;
        const char *stop = strstr(at, end);
        count++;
        if (stop == NULL || count > CA_COUNT_MAX ||
            !certificate_add(store, at, (size_t)(stop - at)))
            return err_set(err, ST_INVALID, "CaFile: certificate %lu cannot be read",
                           (unsigned long)count);
        at = stop;
    }
    if (count == 0)
        return err_set(err, ST_INVALID, "CaFile holds no certificate in PEM form");
    return ST_OK;
}

/* An engine whose only roots are ours exists from Windows 7 on; before, the default engine builds
 * the chain and its root is looked up in our file. */
static void engine_open(struct http_trust *trust)
{
    CERT_CHAIN_ENGINE_CONFIG config = {0};
    config.cbSize = sizeof config;
    config.hExclusiveRoot = trust->roots;
    if (!CertCreateCertificateChainEngine(&config, &trust->engine))
        trust->engine = NULL;
}

static enum status roots_open(struct http_trust *trust, const char *path, struct err *err)
{
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    enum status st = win_read_file(path, CA_FILE_MAX, &text, err);
    if (st != ST_OK) {
        if (err != NULL)
            snprintf(err->hint, sizeof err->hint, "the setting CaFile names this file");
        return st;
    }
    trust->roots = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
    if (trust->roots == NULL)
        return wide_last_error(err, "open a certificate store");
    st = roots_read(trust->roots, text.data == NULL ? "" : text.data, err);
    if (st == ST_OK)
        engine_open(trust);
    return st;
}

/* ---- Pin */

static enum status pins_read(struct http_trust *trust, const char *text, struct err *err)
{
    static const char prefix[] = "sha256/";
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        const char *next = text[length] == ',' ? text + length + 1 : text + length;
        while (length > 0 && *text == ' ')
            text++, length--;
        while (length > 0 && text[length - 1] == ' ')
            length--;
        DWORD size = SHA256_BYTES;
        if (length <= sizeof prefix - 1 || strncmp(text, prefix, sizeof prefix - 1) != 0 ||
            !CryptStringToBinaryA(text + sizeof prefix - 1, (DWORD)(length - (sizeof prefix - 1)),
                                  CRYPT_STRING_BASE64, NULL, &size, NULL, NULL) ||
            size != SHA256_BYTES)
            return err_set(err, ST_INVALID,
                           "Pin: \"%.*s\" is not \"sha256/\" and 32 bytes in base64",
                           (int)(length < 80 ? length : 80), text);
        if (trust->pin_count == PIN_COUNT_MAX)
            return err_set(err, ST_INVALID, "Pin: more than %d keys", PIN_COUNT_MAX);
        if (!CryptStringToBinaryA(text + sizeof prefix - 1, (DWORD)(length - (sizeof prefix - 1)),
                                  CRYPT_STRING_BASE64, trust->pins[trust->pin_count++], &size, NULL,
                                  NULL))
            return wide_last_error(err, "read Pin");
        text = next;
    }
    return ST_OK;
}

enum status http_trust_open(const struct settings *settings, struct http_trust **ret_trust,
                            struct err *err)
{
    const char *ca_file = settings_text(settings, SETTING_CA_FILE);
    const char *pin = settings_text(settings, SETTING_PIN);
    if (*ca_file == '\0' && *pin == '\0') {
        *ret_trust = NULL;
        return ST_OK;
    }
    struct http_trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    enum status st = pins_read(trust, pin, err);
    if (st == ST_OK && *ca_file != '\0')
        st = roots_open(trust, ca_file, err);
    if (st != ST_OK) {
        http_trust_close(trust);
        return st;
    }
    *ret_trust = trust;
    return ST_OK;
}

void http_trust_close(struct http_trust *trust)
{
    if (trust == NULL)
        return;
    if (trust->engine != NULL)
        CertFreeCertificateChainEngine(trust->engine);
    if (trust->roots != NULL)
        CertCloseStore(trust->roots, 0);
    free(trust);
}

/* ---- the check */

static enum status pin_check(const struct http_trust *trust, PCCERT_CONTEXT certificate,
                             struct err *err)
{
    BYTE *encoded = NULL;
    DWORD length = 0;
    unsigned char digest[SHA256_BYTES];
    if (!CryptEncodeObjectEx(X509_ASN_ENCODING, X509_PUBLIC_KEY_INFO,
                             &certificate->pCertInfo->SubjectPublicKeyInfo, CRYPT_ENCODE_ALLOC_FLAG,
                             NULL, &encoded, &length))
        return err_set(err, ST_FORBIDDEN, "the server's key cannot be read");
    enum status st = win_sha256(encoded, length, digest, err);
    LocalFree(encoded);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < trust->pin_count; i++) {
        if (memcmp(digest, trust->pins[i], SHA256_BYTES) == 0)
            return ST_OK;
    }
    return err_set(err, ST_FORBIDDEN, "the server's key is not one of Pin");
}

static bool root_is_ours(const struct http_trust *trust, PCCERT_CHAIN_CONTEXT chain)
{
    if (chain->cChain == 0)
        return false;
    const CERT_SIMPLE_CHAIN *simple = chain->rgpChain[chain->cChain - 1];
    if (simple->cElement == 0)
        return false;
    PCCERT_CONTEXT found =
        CertFindCertificateInStore(trust->roots, X509_ASN_ENCODING, 0, CERT_FIND_EXISTING,
                                   simple->rgpElement[simple->cElement - 1]->pCertContext, NULL);
    if (found == NULL)
        return false;
    CertFreeCertificateContext(found);
    return true;
}

/* Trust that our own root gives, or a pin: what the system thinks of the root is not asked. Every
 * other fault of the chain counts. */
static enum status chain_check(const struct http_trust *trust, PCCERT_CHAIN_CONTEXT chain,
                               struct err *err)
{
    DWORD fault = chain->TrustStatus.dwErrorStatus;
    DWORD pass = CERT_TRUST_IS_UNTRUSTED_ROOT | CERT_TRUST_REVOCATION_STATUS_UNKNOWN |
                 CERT_TRUST_IS_OFFLINE_REVOCATION;
    if (trust->roots == NULL)
        pass |= CERT_TRUST_IS_PARTIAL_CHAIN; /* the key itself is known */
    else if (!root_is_ours(trust, chain))
        return err_set(err, ST_FORBIDDEN,
                       "the server's certificate does not come from an authority in CaFile");
    if ((fault & CERT_TRUST_IS_NOT_TIME_VALID) != 0)
        return err_set(err, ST_FORBIDDEN,
                       "the server's certificate, or one above it, has expired or is not yet "
                       "valid");
    if ((fault & ~pass) != 0)
        return err_set(err, ST_FORBIDDEN,
                       "the server's certificate is not valid (chain status %lx)",
                       (unsigned long)fault);
    return ST_OK;
}

static enum status name_check(PCCERT_CHAIN_CONTEXT chain, const wchar_t *host, struct err *err)
{
    SSL_EXTRA_CERT_CHAIN_POLICY_PARA ssl = {0};
    CERT_CHAIN_POLICY_PARA policy = {.cbSize = sizeof policy};
    CERT_CHAIN_POLICY_STATUS status = {.cbSize = sizeof status};
    ssl.cbSize = sizeof ssl;
    ssl.dwAuthType = AUTHTYPE_SERVER;
    ssl.pwszServerName = (wchar_t *)(uintptr_t)host;
    policy.pvExtraPolicyPara = &ssl;
    policy.dwFlags =
        CERT_CHAIN_POLICY_ALLOW_UNKNOWN_CA_FLAG | CERT_CHAIN_POLICY_IGNORE_ALL_REV_UNKNOWN_FLAGS;
    if (!CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_SSL, chain, &policy, &status))
        return wide_last_error(err, "check the server's certificate");
    if (status.dwError == (DWORD)CERT_E_CN_NO_MATCH)
        return err_set(err, ST_FORBIDDEN, "the server's certificate is for another name");
    if (status.dwError != 0 && status.dwError != (DWORD)CERT_E_UNTRUSTEDROOT &&
        status.dwError != (DWORD)CERT_E_CHAINING)
        return err_set(err, ST_FORBIDDEN, "the server's certificate is not valid (%lx)",
                       (unsigned long)status.dwError);
    return ST_OK;
}

/* What the server sent beside its own certificate, and our roots. No look-ups over the network
 * from a callback: revocation is not asked for. */
static bool chain_build(const struct http_trust *trust, PCCERT_CONTEXT certificate,
                        PCCERT_CHAIN_CONTEXT *ret_chain)
{
    static char usage[] = szOID_PKIX_KP_SERVER_AUTH;
    char *usages[] = {usage};
    CERT_CHAIN_PARA para = {.cbSize = sizeof para};
    para.RequestedUsage.dwType = USAGE_MATCH_TYPE_AND;
    para.RequestedUsage.Usage.cUsageIdentifier = 1;
    para.RequestedUsage.Usage.rgpszUsageIdentifier = usages;
    HCERTSTORE others = CertOpenStore(CERT_STORE_PROV_COLLECTION, 0, 0, 0, NULL);
    if (others == NULL)
        return false;
    bool built = (certificate->hCertStore == NULL ||
                  CertAddStoreToCollection(others, certificate->hCertStore, 0, 0)) &&
                 (trust->roots == NULL || CertAddStoreToCollection(others, trust->roots, 0, 0)) &&
                 CertGetCertificateChain(trust->engine, certificate, NULL, others, &para,
                                         CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL, NULL, ret_chain);
    CertCloseStore(others, 0);
    return built;
}

enum status http_trust_check(const struct http_trust *trust, PCCERT_CONTEXT certificate,
                             const wchar_t *host, struct err *err)
{
    PCCERT_CHAIN_CONTEXT chain = NULL;
    if (trust->pin_count > 0) {
        enum status st = pin_check(trust, certificate, err);
        if (st != ST_OK)
            return st;
    }
    if (!chain_build(trust, certificate, &chain))
        return wide_last_error(err, "follow the server's certificate to its authority");
    enum status st = chain_check(trust, chain, err);
    if (st == ST_OK)
        st = name_check(chain, host, err);
    CertFreeCertificateChain(chain);
    return st;
}
