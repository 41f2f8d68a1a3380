/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WinHTTP's errors as sentences that say what an admin should do. "A certificate is wrong" costs a
 * day; which certificate and why costs a minute: so each has a text of its own, and the number
 * stays in the message, for it is what people search for.
 */
#include "agent/win/http.h"

#include <winhttp.h>

struct http_fault {
    DWORD error;
    const char *why;
    const char *hint;
};

/* Error numbers: winhttp.h. Those without a row keep only their number. */
static const struct http_fault http_faults[] = {
    {ERROR_WINHTTP_TIMEOUT, "no answer in time",
     "check the server, the address in ServerUrl and firewalls between"},
    {ERROR_WINHTTP_NAME_NOT_RESOLVED, "the name is not known (DNS)",
     "check ServerUrl, and that this host's DNS knows the name"},
    {ERROR_WINHTTP_CANNOT_CONNECT, "nothing accepts connections there",
     "check that the server runs, its port in ServerUrl, and firewalls between"},
    {ERROR_WINHTTP_CONNECTION_ERROR, "the connection was cut",
     "check the server's log, and proxies and firewalls between"},
    {ERROR_WINHTTP_INVALID_SERVER_RESPONSE, "the answer is not HTTP",
     "check that ServerUrl names Poolfleet's port, and https where it speaks TLS"},
    {ERROR_WINHTTP_HEADER_SIZE_OVERFLOW, "the answer's header is too large",
     "check that ServerUrl names a Poolfleet server"},
    {ERROR_WINHTTP_HEADER_COUNT_EXCEEDED, "the answer has too many header lines",
     "check that ServerUrl names a Poolfleet server"},
    {ERROR_WINHTTP_RESPONSE_DRAIN_OVERFLOW, "the answer is too large",
     "check that ServerUrl names a Poolfleet server"},
    {ERROR_WINHTTP_LOGIN_FAILURE, "a proxy or server asks for a sign-in that is not possible here",
     "the agent does not sign in to proxies; let it through, or set Proxy"},
    {ERROR_WINHTTP_AUTODETECTION_FAILED, "the proxy could not be found automatically",
     "set Proxy to \"none\" or to \"http://host:port\""},
    {ERROR_WINHTTP_BAD_AUTO_PROXY_SCRIPT, "the proxy script (PAC) is wrong",
     "set Proxy to \"none\" or to \"http://host:port\""},
    {ERROR_WINHTTP_UNABLE_TO_DOWNLOAD_SCRIPT, "the proxy script (PAC) could not be fetched",
     "set Proxy to \"none\" or to \"http://host:port\""},
    {ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED, "the server wants a certificate of the client",
     "the agent has none: turn client certificates off for this address"},
    {ERROR_WINHTTP_SECURE_CERT_DATE_INVALID,
     "the server's certificate has expired or is not yet "
     "valid",
     "renew the certificate, and check this host's clock"},
    {ERROR_WINHTTP_SECURE_CERT_CN_INVALID, "the server's certificate is for another name",
     "use the name of the certificate in ServerUrl, or have a certificate made for this name"},
    {ERROR_WINHTTP_SECURE_INVALID_CA, "the server's certificate comes from an unknown authority",
     "put the authority's certificate into a file and set CaFile, or set Pin"},
    {ERROR_WINHTTP_SECURE_CERT_REV_FAILED,
     "it could not be checked whether the server's "
     "certificate is revoked",
     "make the authority's revocation list reachable from this host"},
    {ERROR_WINHTTP_SECURE_CERT_REVOKED, "the server's certificate is revoked",
     "get a new certificate for the server"},
    {ERROR_WINHTTP_SECURE_INVALID_CERT, "the server's certificate is broken",
     "get a new certificate for the server"},
    {ERROR_WINHTTP_SECURE_CERT_WRONG_USAGE, "the server's certificate is not one for servers",
     "get a certificate with the usage \"server authentication\""},
    {ERROR_WINHTTP_SECURE_CHANNEL_ERROR,
     "no TLS connection came about, or the server's certificate is not trusted",
     "TLS 1.2 is needed on both sides (Windows 7 and 2008 R2: update KB3140245); or the "
     "certificate is not trusted: see CaFile and Pin"},
    {ERROR_WINHTTP_SECURE_FAILURE, "the server's certificate was refused",
     "check the certificate; see CaFile and Pin"},
    {ERROR_WINHTTP_SECURE_FAILURE_PROXY, "the proxy's certificate was refused",
     "set Proxy to \"http://host:port\""},
    {ERROR_OUTOFMEMORY, "out of memory", ""},
    {ERROR_NOT_ENOUGH_MEMORY, "out of memory", ""},
};

/* What 12175 means in detail, by bit; the first that is set is told. */
static const struct {
    DWORD flag;
    DWORD error;
} secure_faults[] = {
    {WINHTTP_CALLBACK_STATUS_FLAG_CERT_REVOKED, ERROR_WINHTTP_SECURE_CERT_REVOKED},
    {WINHTTP_CALLBACK_STATUS_FLAG_INVALID_CERT, ERROR_WINHTTP_SECURE_INVALID_CERT},
    {WINHTTP_CALLBACK_STATUS_FLAG_CERT_DATE_INVALID, ERROR_WINHTTP_SECURE_CERT_DATE_INVALID},
    {WINHTTP_CALLBACK_STATUS_FLAG_CERT_CN_INVALID, ERROR_WINHTTP_SECURE_CERT_CN_INVALID},
    {WINHTTP_CALLBACK_STATUS_FLAG_INVALID_CA, ERROR_WINHTTP_SECURE_INVALID_CA},
    {WINHTTP_CALLBACK_STATUS_FLAG_CERT_WRONG_USAGE, ERROR_WINHTTP_SECURE_CERT_WRONG_USAGE},
    {WINHTTP_CALLBACK_STATUS_FLAG_CERT_REV_FAILED, ERROR_WINHTTP_SECURE_CERT_REV_FAILED},
    {WINHTTP_CALLBACK_STATUS_FLAG_SECURITY_CHANNEL_ERROR, ERROR_WINHTTP_SECURE_CHANNEL_ERROR},
};

static const struct http_fault *http_fault_find(DWORD error)
{
    for (size_t i = 0; i < sizeof http_faults / sizeof http_faults[0]; i++) {
        if (http_faults[i].error == error)
            return &http_faults[i];
    }
    return NULL;
}

enum status http_error(struct err *err, const char *where, DWORD error, DWORD secure)
{
    if (error == ERROR_WINHTTP_SECURE_FAILURE || error == ERROR_WINHTTP_SECURE_CHANNEL_ERROR) {
        for (size_t i = 0; i < sizeof secure_faults / sizeof secure_faults[0]; i++) {
            if ((secure & secure_faults[i].flag) != 0) {
                error = secure_faults[i].error;
                break;
            }
        }
    }
    const struct http_fault *fault = http_fault_find(error);
    if (fault == NULL)
        return err_set(err, ST_IO, "could not reach %s: error %lu", where, (unsigned long)error);
    enum status st = err_set(err, ST_IO, "could not reach %s: %s (%lu)", where, fault->why,
                             (unsigned long)error);
    if (err != NULL)
        snprintf(err->hint, sizeof err->hint, "%s", fault->hint);
    return st;
}
