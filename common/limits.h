/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every size and count limit of the wire contract, each with its reason. Checked before any
 * allocation that depends on outside data.
 */
#ifndef COMMON_LIMITS_H
#define COMMON_LIMITS_H

#define LIMIT_BODY_BYTES       (8u << 20) /* contract: after decompression */
#define LIMIT_BODY_RAW_BYTES   (8u << 20) /* as received; compression never makes JSON larger */
#define LIMIT_TABLE_ROWS       16384u     /* contract: real tables hold 1.5 to 4 thousand rows */
#define LIMIT_DRIVERS          4096u      /* contract */
#define LIMIT_ATTRIBUTES       256u       /* contract */
#define LIMIT_TEXT_BYTES       256u       /* contract: any single text */
#define LIMIT_HOST_ID_BYTES    64u        /* a UUID is 36; other collectors may use their own id */
#define LIMIT_TAGS_PER_DRIVER  256u       /* chosen: the largest inbox driver uses about 100 */
#define LIMIT_OBJECT_TYPES     512u       /* Windows 11 has about 70 object types */
#define LIMIT_PROCESSES        4096u      /* a top list is expected; a whole list is accepted */
#define LIMIT_SESSIONS         4096u      /* session host farms run hundreds */
#define LIMIT_EVENTS           1024u      /* per document; more is a log, not a hint */
#define LIMIT_BLOCK_TAGS       64u        /* tags whose big blocks one document tells */
#define LIMIT_BLOCK_SIZES      256u       /* sizes per tag; the largest ones are enough */
#define LIMIT_JSON_DEPTH       16u        /* the deepest path of the contract has 5 levels */
#define LIMIT_FUTURE_SECONDS   600        /* contract: taken_at ahead of the server */
#define LIMIT_NUMBER_MAX       ((1ull << 53) - 1) /* contract: integers a double can hold */
#define LIMIT_DIAGNOSE_BYTES   (8u << 20) /* same bound as a body: a 3,000-row log is 300 KB */
#define LIMIT_NDJSON_DOCUMENTS 4096u      /* per body; 8 MiB of 2 KB documents */

#endif
