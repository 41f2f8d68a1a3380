/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/tag_lists.h"

#include <pthread.h>

struct retired {
    struct tagdict *dict;
    int64_t since_us;
    struct retired *next;
};

struct tag_lists {
    pthread_mutex_t lock; /* held while a dictionary is made: two callers make one, not two */
    struct store_tags_stamp stamp;
    struct retired *retired;
};

struct tag_lists *tag_lists_new(void)
{
    struct tag_lists *lists = calloc(1, sizeof *lists);

    if (lists != NULL)
        pthread_mutex_init(&lists->lock, NULL);
    return lists;
}

/* Those that were replaced before the moment. */
static void drop_retired(struct tag_lists *lists, int64_t before_us)
{
    struct retired **at = &lists->retired;

    while (*at != NULL) {
        struct retired *one = *at;
        if (one->since_us >= before_us) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        tagdict_free(one->dict);
        free(one);
    }
}

void tag_lists_free(struct tag_lists *lists, tagdict_now *now)
{
    tagdict_free(atomic_exchange(now, NULL));
    if (lists == NULL)
        return;
    drop_retired(lists, INT64_MAX);
    pthread_mutex_destroy(&lists->lock);
    free(lists);
}

static enum status make(struct db *db, struct tagdict **ret_dict, struct err *err)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    enum status status = ST_OK;

    if (dict == NULL)
        return err_set(err, ST_NOMEM, "could not read the tag lists: out of memory");
    status = tagdict_add_builtin(dict, err);
    if (status == ST_OK)
        status = store_tags_load(db, dict, err);
    if (status == ST_OK)
        *ret_dict = TAKE(dict);
    return status;
}

static enum status swap(struct tag_lists *lists, struct db *db, tagdict_now *now, struct err *err)
{
    struct tagdict *dict = NULL;
    struct retired *old = calloc(1, sizeof *old);
    enum status status = old == NULL
                             ? err_set(err, ST_NOMEM, "could not read the tag lists: out of memory")
                             : make(db, &dict, err);

    if (status != ST_OK) {
        free(old);
        return status;
    }
    *old = (struct retired){atomic_exchange(now, dict), clock_mono_us(), lists->retired};
    lists->retired = old;
    drop_retired(lists, clock_mono_us() - TAG_LISTS_KEPT_US);
    return ST_OK;
}

enum status tag_lists_refresh(struct tag_lists *lists, struct db *db, tagdict_now *now,
                              struct err *err)
{
    struct store_tags_stamp stamp;
    enum status status;

    pthread_mutex_lock(&lists->lock);
    status = store_tags_stamp(db, &stamp, err);
    if (status == ST_OK && (atomic_load(now) == NULL || stamp.lists != lists->stamp.lists ||
                            stamp.newest != lists->stamp.newest)) {
        status = swap(lists, db, now, err);
        if (status == ST_OK)
            lists->stamp = stamp;
    }
    pthread_mutex_unlock(&lists->lock);
    return status;
}
