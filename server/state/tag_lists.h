/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dictionary of tag owners in use, made anew when the imported lists changed: what one server
 * or the command line imports, all servers use. Readers take the pointer without a lock and may
 * keep what they found for as long as their request lasts; so a dictionary that was replaced is
 * kept TAG_LISTS_KEPT_US, far beyond any request or pass, before its memory goes. Thread-safe.
 */
#ifndef SERVER_STATE_TAG_LISTS_H
#define SERVER_STATE_TAG_LISTS_H

#include "server/store/store_tags.h"

#include <stdatomic.h>

#define TAG_LISTS_KEPT_US US_PER_HOUR

struct tag_lists;
typedef struct tagdict *_Atomic tagdict_now;

struct tag_lists *tag_lists_new(void); /* NULL when memory is out */
void tag_lists_free(struct tag_lists *lists, tagdict_now *now);

/* Looks whether the imported lists are others than those that `*now` was made of (one small query);
 * if so, or with *now NULL, makes and swaps it. On failure *now stays. */
enum status tag_lists_refresh(struct tag_lists *lists, struct db *db, tagdict_now *now,
                              struct err *err) MUST_CHECK;

#endif
