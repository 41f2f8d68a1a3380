/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From reports and evidence to a verdict, suspects, hints and next steps. The verdict speaks of
 * what this text shows and of nothing else.
 */
#ifndef SERVER_DIAGNOSE_JUDGE_H
#define SERVER_DIAGNOSE_JUDGE_H

#include "server/diagnose/parse.h"

/* One tag of one pool, as the newest report shows it. */
struct weighed {
    const struct diagnose_row *row;
    enum pool pool; /* printed, or told by the dictionary */
    const struct report *report;
};

struct pool_facts {
    int64_t used_kb; /* of the whole pool; NUMBER_UNKNOWN: not printed */
    int64_t max_kb;
    struct weighed *rows; /* largest first */
    size_t row_count;
    double listed_bytes; /* sum of the rows */
    double listed_blocks;
    double whole_bytes; /* the pool if known, else the sum of the rows */
    bool excessive;
    bool whole_known;
    bool by_size;   /* some listing shows the largest tags of this pool first */
    bool explained; /* the rows hold at least half of the pool */
};

struct facts {
    struct pool_facts pool[POOL_COUNT];
    int64_t ram_kb;
    int64_t available_kb;
    int64_t commit_kb;
    int64_t commit_limit_kb;
    int64_t failures; /* pool allocations that failed; NUMBER_UNKNOWN: not printed */
    int64_t session_max_kb;
    const struct diagnose_session *worst_session;
    size_t sessions;
    int64_t session_failures;
    bool blocks; /* lists of single blocks were pasted */
    bool verifier;
    bool verifier_left;
    size_t screens; /* reports with rows of sums */
};

struct judge {
    struct parse *parse;
    const struct tagdict *dict;
    struct diagnosis *out;
    struct facts facts;
    const struct series *trend; /* the series that grows; NULL: none */
    struct weighed grown;       /* the tag that grew from screen to screen */
    double grown_bytes;
    struct weighed leading; /* the tag the verdict rests on; row NULL: none */
    double leading_share;
};

#define KIB 1024.0
#define MIB (1024.0 * 1024.0)
#define GIB (1024.0 * 1024.0 * 1024.0)

void facts_gather(struct judge *judge);
/* Bytes of a row; 0 when not printed. Blocks outstanding; 0 when not printed. */
double row_bytes(const struct diagnose_row *row);
double row_blocks(const struct diagnose_row *row);

void judge_verdict(struct judge *judge);  /* verdict.c */
void judge_suspects(struct judge *judge); /* suspects.c */
void judge_advice(struct judge *judge);   /* advice.c */

/* A formatted text in the arena; "" when memory is out (parse->failed is set). */
const char *judge_text(struct judge *judge, const char *format, ...) PRINTF_LIKE(2, 3);
/* "1.9 GB", "113 MB", "52 KB". Into a buffer of at least SIZE_TEXT bytes. */
#define SIZE_TEXT 32
const char *size_text(double bytes, char text[SIZE_TEXT]);
/* The driver of a tag as told by the text, by evidence or by the dictionary; NULL: nobody. */
const char *judge_driver(struct judge *judge, const struct diagnose_row *row);

/* Whether that driver is known only by its name, which begins with the tag. */
bool judge_framework(struct judge *judge, const struct diagnose_row *row);

#define ADVICE_MAX 24

#endif
