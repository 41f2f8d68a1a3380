/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/limiter.h"
#include "common/limits.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>

#define WAYS 4
/* With 4 ways 64 KB; an attacker with more addresses only loses the counts of others. */
#define SETS 512

struct bucket {
    unsigned char bytes[16];
    int64_t full_at_us; /* when it is full again; past: it is full */
};

struct limiter {
    pthread_mutex_t lock;
    int64_t burst;
    int64_t refill_us;
    unsigned char hash_key[crypto_shorthash_KEYBYTES]; /* so that nobody can aim at a set */
    struct bucket buckets[SETS][WAYS];
};

struct limiter *limiter_new(unsigned burst, int64_t refill_us)
{
    struct limiter *limiter = calloc(1, sizeof *limiter);
    if (limiter == NULL)
        return NULL;
    limiter->burst = burst;
    limiter->refill_us = refill_us;
    pthread_mutex_init(&limiter->lock, NULL);
    crypto_shorthash_keygen(limiter->hash_key);
    for (size_t i = 0; i < SETS * WAYS; i++)
        limiter->buckets[i / WAYS][i % WAYS].full_at_us = INT64_MIN;
    return limiter;
}

void limiter_free(struct limiter *limiter)
{
    if (limiter == NULL)
        return;
    pthread_mutex_destroy(&limiter->lock);
    free(limiter);
}

struct limiter_key limiter_key(const struct sockaddr *address)
{
    struct limiter_key key = {{0}};
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        key.bytes[0] = 4;
        memcpy(key.bytes + 1, &in->sin_addr, sizeof in->sin_addr);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in->sin6_addr);
        key.bytes[0] = mapped ? 4 : 6;
        memcpy(key.bytes + 1, in->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 8);
    }
    return key;
}

struct limiter_key limiter_key_name(const char *name)
{
    struct limiter_key key;
    char folded[LIMIT_TEXT_BYTES];
    size_t length = strnlen(name, sizeof folded);
    for (size_t i = 0; i < length; i++)
        folded[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    crypto_generichash(key.bytes, sizeof key.bytes, (const unsigned char *)folded, length, NULL, 0);
    return key;
}

/* The key's bucket; else, with `make`, the one of its set that is full the longest. */
static struct bucket *find(struct limiter *limiter, const struct limiter_key *key, bool make)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, key->bytes, sizeof key->bytes, limiter->hash_key);
    struct bucket *set = limiter->buckets[hash % SETS];
    struct bucket *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].full_at_us != INT64_MIN &&
            memcmp(set[i].bytes, key->bytes, sizeof key->bytes) == 0)
            return &set[i];
        if (set[i].full_at_us < oldest->full_at_us)
            oldest = &set[i];
    }
    if (!make)
        return NULL;
    memcpy(oldest->bytes, key->bytes, sizeof key->bytes);
    oldest->full_at_us = INT64_MIN;
    return oldest;
}

unsigned limiter_wait(struct limiter *limiter, struct limiter_key key, int64_t now_us)
{
    int64_t over_us = 0;
    pthread_mutex_lock(&limiter->lock);
    const struct bucket *bucket = find(limiter, &key, false);
    /* A bucket that needs more than BURST - 1 refills to be full has no failure left. */
    if (bucket != NULL)
        over_us = bucket->full_at_us - now_us - (limiter->burst - 1) * limiter->refill_us;
    pthread_mutex_unlock(&limiter->lock);
    return over_us <= 0 ? 0 : (unsigned)((over_us + 999999) / 1000000);
}

unsigned limiter_left(struct limiter *limiter, struct limiter_key key, int64_t now_us,
                      unsigned *ret_seconds)
{
    int64_t debt_us = 0;
    pthread_mutex_lock(&limiter->lock);
    const struct bucket *bucket = find(limiter, &key, false);
    if (bucket != NULL && bucket->full_at_us > now_us)
        debt_us = bucket->full_at_us - now_us;
    pthread_mutex_unlock(&limiter->lock);
    /* A refill that has begun counts as one that is still owed, as in limiter_wait. */
    int64_t used = (debt_us + limiter->refill_us - 1) / limiter->refill_us;
    int64_t left = used >= limiter->burst ? 0 : limiter->burst - used;
    int64_t until_us = left > 0 ? debt_us : debt_us - (limiter->burst - 1) * limiter->refill_us;
    *ret_seconds = (unsigned)((until_us + 999999) / 1000000);
    return (unsigned)left;
}

void limiter_fail(struct limiter *limiter, struct limiter_key key, int64_t now_us)
{
    pthread_mutex_lock(&limiter->lock);
    struct bucket *bucket = find(limiter, &key, true);
    if (bucket->full_at_us < now_us)
        bucket->full_at_us = now_us;
    /* Parallel attempts may go past the burst; the debt is bounded all the same. */
    if (bucket->full_at_us < now_us + 2 * limiter->burst * limiter->refill_us)
        bucket->full_at_us += limiter->refill_us;
    pthread_mutex_unlock(&limiter->lock);
}

void limiter_forgive(struct limiter *limiter, struct limiter_key key, int64_t now_us)
{
    pthread_mutex_lock(&limiter->lock);
    struct bucket *bucket = find(limiter, &key, false);
    if (bucket != NULL && bucket->full_at_us > now_us)
        bucket->full_at_us -= limiter->refill_us;
    pthread_mutex_unlock(&limiter->lock);
}
