/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a running server consists of. Made by main.c, borrowed by every request. The pointers do
 * not change while requests run, except `tagdict` (see state/tag_lists.h).
 */
#ifndef SERVER_APP_H
#define SERVER_APP_H

#include "server/config.h"
#include "server/ingest/ingest.h"
#include "server/state/facts.h"
#include "server/state/fleet.h"
#include "server/state/known_view.h"
#include "server/state/recent.h"
#include "server/state/tag_lists.h"
#include "server/state/trends.h"
#include "server/state/wants.h"
#include "server/store/db.h"
#include "server/tagdict/tagdict.h"

#include <stdatomic.h>

struct app {
    const struct config *config;
    struct db_pool *db;
    struct fleet *fleet;
    struct ingest *ingest;
    struct wants *wants; /* what agents are asked for with the next answer */
    tagdict_now tagdict; /* built-in and imported; swapped by tag_lists_refresh(). Take it once */
    struct tag_lists *tag_lists;
    struct recent *recent;          /* how many snapshots came of late */
    struct known_cache *known;      /* known leaks: built-in, imported */
    struct reply_cache *replies;    /* server/http/reply_cache.h: packed answers of big fleets */
    struct fleet_view_cache *views; /* server/state/view.h: fleet statistics per tag and cohort */
    struct facts_cache *facts;      /* attributes and driver builds of every host */
    struct trends_cache *trends;    /* the last week of every tag */
    struct notify *notify;          /* server/notify/notify.h: tells others of findings */
    struct http *http;
    struct jobs *jobs; /* server/jobs/jobs.h; NULL before they run */
    int64_t started_at_us;
    _Atomic uint64_t refused[ST_COUNT_]; /* documents of bodies that were taken, by cause */
    _Atomic int64_t analyzed_at_us;      /* end of the last analysis pass; TIME_UNKNOWN before it */
    _Atomic int64_t analyzed_as_of_us;   /* newest taken_at that pass saw */
    _Atomic uint64_t analysis_passes;
    _Atomic uint64_t analysis_cold_reads; /* hosts read from history */
    _Atomic uint64_t analysis_restored;   /* hosts read as they were stored */
    _Atomic int64_t analysis_duration_us; /* of the last pass */
};

#endif
