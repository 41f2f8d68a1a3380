/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notify/notify.h"

#include "common/log.h"
#include "server/app.h"
#include "server/notify/digest.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define THREADS        4
#define TESTS_MAX      8
#define LOOK_US        (5 * US_PER_SECOND) /* another server may have written */
#define LEASE_WAIT_US  (10 * US_PER_SECOND)
#define BACKOFF_MAX_US US_PER_HOUR
#define CLAIM_SLACK_US (3 * US_PER_SECOND) /* resolving, rendering, writing down */
#define UPKEEP_US      US_PER_HOUR
#define KEEP_US        (30 * US_PER_DAY)

struct test {
    struct arena arena;
    struct notify_target target;
    notify_tested done;
    void *arg;
};

struct notify {
    struct app *app;
    struct notify_settings settings;
    pthread_t threads[THREADS];
    size_t started;
    pthread_mutex_t lock; /* over what follows, up to the atomics */
    pthread_cond_t wake;  /* for who looks */
    pthread_cond_t turn;  /* for who waits to look */
    bool looking;
    bool woken;
    struct test *tests[TESTS_MAX];
    size_t test_count;
    int64_t upkeep_at_us; /* by who looks alone */
    int64_t digest_us;    /* the digest that was looked after last; likewise */
    int64_t next_us;      /* when the next delivery is due; by who looks alone */
    atomic_bool stop;
    atomic_uint_fast64_t sent, failed, given_up, digests;
    atomic_int_fast64_t waiting;
};

/* ---- pure ------------------------------------------------------------------- */

int64_t notify_backoff_us(int64_t base_us, int64_t attempts, uint32_t random,
                          int64_t retry_after_us)
{
    int64_t bound = base_us;

    for (int64_t i = 1; i < attempts && bound < BACKOFF_MAX_US; i++)
        bound *= 2;
    if (bound > BACKOFF_MAX_US)
        bound = BACKOFF_MAX_US;
    int64_t wait = (int64_t)((double)random / 4294967296.0 * (double)bound);
    return wait > retry_after_us ? wait : retry_after_us;
}

int64_t notify_digest_due(int minute, int64_t now_us)
{
    int64_t due = now_us - now_us % US_PER_DAY + minute * US_PER_MINUTE;
    return due <= now_us ? due : due - US_PER_DAY;
}

/* ---- one delivery ----------------------------------------------------------- */

/* The finding as it is now; ST_NOT_FOUND when it went with its hosts. */
static enum status load_finding(struct notify *notify, const struct notify_claim *claim,
                                struct finding_records *records, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;

    if (claim->finding_id == NULL)
        return ST_OK;
    enum status status = db_lease(notify->app->db, LEASE_WAIT_US, &db, err);
    return status == ST_OK ? store_findings_get(db, claim->finding_id, records, err) : status;
}

static enum status write_down(struct notify *notify, const struct notify_claim *claim,
                              const struct notify_outcome *outcome, bool *ret_given_up,
                              struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    const struct config *config = notify->app->config;
    int64_t now = clock_wall_us();
    enum status status = db_lease(notify->app->db, LEASE_WAIT_US, &db, err);

    *ret_given_up = false;
    if (status != ST_OK)
        return status;
    if (outcome->sent)
        return store_notify_sent(db, claim->delivery_id, now, err);
    if (outcome->stopped)
        return store_notify_unclaim(db, claim->delivery_id, err);
    *ret_given_up = outcome->hopeless || now - claim->created_at_us >= config->notify_give_up_us;
    int64_t wait = notify_backoff_us(config->notify_retry_us, claim->attempts, randombytes_random(),
                                     outcome->retry_after_us);
    return store_notify_failed(db, claim->delivery_id, now,
                               *ret_given_up ? TIME_UNKNOWN : now + wait, outcome->error, err);
}

static void count_outcome(struct notify *notify, const struct notify_claim *claim,
                          const struct notify_outcome *outcome, bool given_up)
{
    if (outcome->sent) {
        atomic_fetch_add(&notify->sent, 1);
        return;
    }
    if (outcome->stopped)
        return;
    atomic_fetch_add(&notify->failed, 1);
    if (!given_up)
        return;
    atomic_fetch_add(&notify->given_up, 1);
    log_warning("a notification was given up", "target", claim->target.name, "event",
                notify_event_names[claim->event], "finding",
                claim->finding_id == NULL ? "" : claim->finding_id, "reason", outcome->error);
}

static void deliver(struct notify *notify, const struct notify_claim *claim)
{
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    struct notify_outcome outcome = {.sent = false};
    struct err err = {0};
    bool given_up = false;
    enum status status = load_finding(notify, claim, &records, &err);

    if (status == ST_NOT_FOUND) {
        outcome.hopeless = true;
        snprintf(outcome.error, sizeof outcome.error, "the finding is gone");
    } else if (status != ST_OK) {
        log_err("a notification has to wait", &err); /* until its claim ends */
        return;
    } else {
        const struct notify_message message = {
            .event = claim->event,
            .key = claim->key,
            .at_us = claim->at_us,
            .severity = claim->severity,
            .severity_before = claim->severity_before,
            .record = records.count == 1 ? &records.items[0] : NULL,
            .subject = claim->subject,
            .text = claim->text,
            .html = claim->html,
            .target_name = claim->target.name,
            .public_url = notify->settings.public_url,
        };
        notify_send(&notify->settings, &claim->target, &message, &notify->stop, &outcome);
    }
    status = write_down(notify, claim, &outcome, &given_up, &err);
    if (status != ST_OK) /* told again under the same key, once its claim ends */
        log_err("could not write down how a notification went", &err);
    else
        count_outcome(notify, claim, &outcome, given_up);
}

/* ---- tests ------------------------------------------------------------------ */

static void send_test(const struct notify_settings *settings, const struct notify_target *target,
                      const atomic_bool *stop, struct notify_outcome *ret_outcome)
{
    char key[48];
    snprintf(key, sizeof key, "test-%08x%08x", (unsigned)randombytes_random(),
             (unsigned)randombytes_random());
    const struct notify_message message = {
        .event = NOTIFY_TEST,
        .key = key,
        .at_us = clock_wall_us(),
        .target_name = target->name,
        .public_url = settings->public_url,
    };
    notify_send(settings, target, &message, stop, ret_outcome);
}

void notify_test_now(const struct notify_settings *settings, const struct notify_target *target,
                     struct notify_outcome *ret_outcome)
{
    send_test(settings, target, NULL, ret_outcome);
}

static void test_free(struct test *test)
{
    arena_done(&test->arena);
    free(test);
}

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    const char *copy = text == NULL ? NULL : arena_strdup(arena, text);
    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

enum status notify_test(struct notify *notify, const struct notify_target *target,
                        notify_tested done, void *arg, struct err *err)
{
    struct test *test = calloc(1, sizeof *test);
    bool failed = test == NULL;

    if (failed)
        return err_set(err, ST_NOMEM, "could not test a target: out of memory");
    test->done = done;
    test->arg = arg;
    test->target.kind = target->kind;
    test->target.name = keep(&test->arena, target->name, &failed);
    test->target.address = keep(&test->arena, target->address, &failed);
    test->target.secret = keep(&test->arena, target->secret, &failed);
    pthread_mutex_lock(&notify->lock);
    bool full = notify->test_count == TESTS_MAX || atomic_load(&notify->stop);
    if (!failed && !full) {
        notify->tests[notify->test_count++] = test;
        pthread_cond_broadcast(&notify->wake);
    }
    pthread_mutex_unlock(&notify->lock);
    if (!failed && !full)
        return ST_OK;
    test_free(test);
    return failed ? err_set(err, ST_NOMEM, "could not test a target: out of memory")
                  : err_set(err, ST_BUSY, "too many tests wait");
}

static void run_test(struct notify *notify, struct test *test)
{
    struct notify_outcome outcome;

    send_test(&notify->settings, &test->target, &notify->stop, &outcome);
    test->done(test->arg, &outcome);
    test_free(test);
}

/* ---- who looks -------------------------------------------------------------- */

/* The database is asked once for each day's digest, however many servers there are. */
static enum status look_after_digest(struct notify *notify, struct db *db, int64_t now,
                                     struct err *err)
{
    bool made = false;
    int minute = notify->settings.digest_minute;
    int64_t due = minute < 0 ? TIME_UNKNOWN : notify_digest_due(minute, now);

    if (minute < 0 || due == notify->digest_us)
        return ST_OK;
    enum status status = digest_make(db, notify->app->fleet, &notify->settings, due, &made, err);
    if (status == ST_OK)
        notify->digest_us = due;
    if (made)
        atomic_fetch_add(&notify->digests, 1);
    return status;
}

/* Digest and upkeep, then the next delivery. */
static bool look(struct notify *notify, struct notify_claim *ret_claim)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct err err = {0};
    bool found = false;
    int64_t now = clock_wall_us(), waiting = 0;
    enum status status = db_lease(notify->app->db, LEASE_WAIT_US, &db, &err);

    if (status == ST_OK)
        status = look_after_digest(notify, db, now, &err);
    if (status == ST_OK && now - notify->upkeep_at_us >= UPKEEP_US) {
        notify->upkeep_at_us = now;
        status = store_notify_prune(db, now - KEEP_US, &err);
    }
    if (status == ST_OK)
        status = store_notify_claim(db, now, notify->settings.timeout_us + CLAIM_SLACK_US,
                                    ret_claim, &found, &err);
    if (status == ST_OK)
        status = store_notify_waiting(db, &waiting, &notify->next_us, &err);
    if (status != ST_OK) {
        log_err("could not look for notifications", &err);
        notify->next_us = TIME_UNKNOWN;
        return found;
    }
    atomic_store(&notify->waiting, waiting);
    return found;
}

/* Until something is written, a delivery is due, or LOOK_US; with the lock held. */
static void wait_for_work(struct notify *notify)
{
    int64_t now = clock_wall_us(), wait = LOOK_US;
    struct timespec until;

    if (notify->next_us != TIME_UNKNOWN && notify->next_us - now < wait)
        wait = notify->next_us > now ? notify->next_us - now : 0;
    if (wait < 20 * US_PER_MS) /* the clocks of two machines differ: no busy loop */
        wait = 20 * US_PER_MS;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait / US_PER_SECOND;
    until.tv_nsec += wait % US_PER_SECOND * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!atomic_load(&notify->stop) && !notify->woken && notify->test_count == 0 &&
           pthread_cond_timedwait(&notify->wake, &notify->lock, &until) == 0)
        continue;
    notify->woken = false;
}

static struct test *take_test(struct notify *notify)
{
    struct test *test = NULL;

    if (notify->test_count > 0) {
        test = notify->tests[0];
        notify->test_count--;
        memmove(notify->tests, notify->tests + 1, notify->test_count * sizeof test);
    }
    return test;
}

/* One turn: look (or take a test) while the others wait, then work while another looks. */
static void take_turn(struct notify *notify)
{
    AUTO_NOTIFY_CLAIM struct notify_claim claim = {0};
    bool found = false;

    notify->looking = true;
    wait_for_work(notify);
    struct test *test = take_test(notify);
    pthread_mutex_unlock(&notify->lock);
    if (test == NULL && !atomic_load(&notify->stop))
        found = look(notify, &claim);
    pthread_mutex_lock(&notify->lock);
    notify->looking = false;
    notify->woken = notify->woken || found; /* there may be more: the next looks at once */
    pthread_cond_signal(&notify->turn);
    pthread_mutex_unlock(&notify->lock);
    if (test != NULL)
        run_test(notify, test);
    if (found)
        deliver(notify, &claim);
    pthread_mutex_lock(&notify->lock);
    if (found) { /* the target's next delivery has come to its turn */
        notify->woken = true;
        pthread_cond_broadcast(&notify->wake);
    }
}

static void *notify_main(void *arg)
{
    struct notify *notify = arg;

    pthread_mutex_lock(&notify->lock);
    while (!atomic_load(&notify->stop)) {
        if (notify->looking)
            pthread_cond_wait(&notify->turn, &notify->lock);
        else
            take_turn(notify);
    }
    pthread_cond_broadcast(&notify->turn);
    pthread_mutex_unlock(&notify->lock);
    return NULL;
}

/* ---- life ------------------------------------------------------------------- */

void notify_wake(struct notify *notify)
{
    if (notify == NULL)
        return;
    pthread_mutex_lock(&notify->lock);
    notify->woken = true;
    pthread_cond_broadcast(&notify->wake);
    pthread_mutex_unlock(&notify->lock);
}

void notify_stop(struct notify *notify)
{
    struct test *test;

    if (notify == NULL)
        return;
    pthread_mutex_lock(&notify->lock);
    atomic_store(&notify->stop, true);
    pthread_cond_broadcast(&notify->wake);
    pthread_cond_broadcast(&notify->turn);
    pthread_mutex_unlock(&notify->lock);
    for (size_t i = 0; i < notify->started; i++)
        pthread_join(notify->threads[i], NULL);
    notify->started = 0;
    while ((test = take_test(notify)) != NULL) {
        struct notify_outcome outcome = {.stopped = true, .error = "the server stops"};
        test->done(test->arg, &outcome);
        test_free(test);
    }
}

void notify_free(struct notify *notify)
{
    if (notify == NULL)
        return;
    pthread_cond_destroy(&notify->turn);
    pthread_cond_destroy(&notify->wake);
    pthread_mutex_destroy(&notify->lock);
    sodium_memzero(notify->settings.smtp_password, sizeof notify->settings.smtp_password);
    free(notify);
}

enum status notify_start(struct app *app, struct notify **ret_notify, struct err *err)
{
    struct notify *notify = calloc(1, sizeof *notify);
    pthread_condattr_t attributes;

    if (notify == NULL)
        return err_set(err, ST_NOMEM, "could not start notifications: out of memory");
    enum status status = notify_settings_read(app->config, &notify->settings, err);
    if (status == ST_OK && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        status = err_set(err, ST_IO, "could not start notifications: no libcurl");
    if (status != ST_OK) {
        free(notify);
        return status;
    }
    notify->app = app;
    notify->next_us = notify->digest_us = TIME_UNKNOWN;
    notify->woken = true;
    pthread_mutex_init(&notify->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&notify->wake, &attributes);
    pthread_cond_init(&notify->turn, &attributes);
    pthread_condattr_destroy(&attributes);
    while (notify->started < THREADS &&
           pthread_create(&notify->threads[notify->started], NULL, notify_main, notify) == 0)
        notify->started++;
    if (notify->started < THREADS) {
        notify_stop(notify);
        notify_free(notify);
        return err_set(err, ST_NOMEM, "could not start notifications: no thread");
    }
    *ret_notify = notify;
    return ST_OK;
}

void notify_read_stats(struct notify *notify, struct notify_stats *ret_stats)
{
    *ret_stats = (struct notify_stats){
        .sent = atomic_load(&notify->sent),
        .failed = atomic_load(&notify->failed),
        .given_up = atomic_load(&notify->given_up),
        .digests = atomic_load(&notify->digests),
        .waiting = atomic_load(&notify->waiting),
    };
}
