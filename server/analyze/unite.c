/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/unite.h"

#include "server/analyze/follow.h"

#include <string.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": unite */
#define SAME_HOSTS   0.5 /* of the larger host set */
#define WITHIN       0.9 /* of the smaller host set: one level that a row shows on some hosts only */
#define TOLD_HOSTS   0.75 /* of the hosts: on those the other incident tells of the row */
#define GROWS_WEIGHT 1.5  /* what grows is told as growing where both are about as sure */

static size_t count_common(const struct incident *a, const struct incident *b)
{
    size_t common = 0;
    for (size_t i = 0, k = 0; i < a->host_count && k < b->host_count;) {
        if (a->hosts[i] == b->hosts[k]) {
            common++;
            i++;
            k++;
        } else if (a->hosts[i] < b->hosts[k]) {
            i++;
        } else {
            k++;
        }
    }
    return common;
}

/* Most of the hosts are the same; of two levels, those of one may all be among the other's. */
static bool same_hosts(const struct incident *a, const struct incident *b)
{
    size_t common = count_common(a, b);
    size_t larger = a->host_count > b->host_count ? a->host_count : b->host_count;
    size_t smaller = a->host_count + b->host_count - larger;
    bool levels = a->verdict == VERDICT_HIGH && b->verdict == VERDICT_HIGH;
    return common > 0 && ((double)common >= SAME_HOSTS * (double)larger ||
                          (levels && (double)common >= WITHIN * (double)smaller));
}

static bool share_row(const struct incident *a, const struct incident *b)
{
    for (size_t i = 0; i < a->row_count; i++) {
        if (follow_has_row(b, a->rows[i].pool, a->rows[i].tag))
            return true;
    }
    return false;
}

static double weight_of(const struct incident *incident)
{
    double sum = 0;
    for (size_t i = 0; i < incident->host_count; i++)
        sum += incident->belief[i];
    return sum * (incident->verdict == VERDICT_GROWS ? GROWS_WEIGHT : 1);
}

/* A row that has a verdict of its own there, on the same hosts. */
static bool is_told_by(const struct incident *other, const struct incident *incident,
                       const struct incident_row *row)
{
    for (size_t i = 0; i < other->row_count; i++) {
        if (other->rows[i].pool == row->pool && other->rows[i].tag == row->tag &&
            !other->rows[i].followed)
            return (double)count_common(other, incident) >=
                   TOLD_HOSTS * (double)incident->host_count;
    }
    return false;
}

/* What only goes along with one leak, and is another leak's own row, happens to bend alike. */
static void drop_told(struct incident_list *list, struct incident *incident)
{
    size_t kept = 0;
    for (size_t r = 0; r < incident->row_count; r++) {
        bool told = false;
        for (size_t i = 0; i < list->count && incident->rows[r].followed && !told; i++)
            told = &list->items[i] != incident && list->items[i].verdict == VERDICT_GROWS &&
                   is_told_by(&list->items[i], incident, &incident->rows[r]);
        if (!told)
            incident->rows[kept++] = incident->rows[r];
    }
    incident->row_count = kept;
}

/* Some rows of a leak may stand still or look like another course while the others grow. Told once:
 * by the surer one, with the rows of both. */
void unite_incidents(struct incident_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = list->count; k-- > i + 1;) {
            struct incident *a = &list->items[i];
            struct incident *b = &list->items[k];
            if (!share_row(a, b) || !same_hosts(a, b))
                continue;
            if (weight_of(b) > weight_of(a)) {
                struct incident other = *a;
                *a = *b;
                *b = other;
            }
            for (size_t r = 0; r < b->row_count && a->row_count < INCIDENT_TAGS_MAX; r++) {
                if (!follow_has_row(a, b->rows[r].pool, b->rows[r].tag))
                    a->rows[a->row_count++] = b->rows[r];
            }
            memmove(b, b + 1, (list->count - k - 1) * sizeof *b);
            list->count--;
        }
    }
    for (size_t i = 0; i < list->count; i++)
        drop_told(list, &list->items[i]);
}
