/* SPDX-License-Identifier: Apache-2.0 */
/* A server the agent should not have trusted: every reply is refused with a reason or within
 * bounds.
 */
#include "agent/core/reply.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
    if (memchr(text, '\0', size) == NULL)
        abort();
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            abort();
    }
}

static void check_snapshots(const struct reply_snapshots *reply)
{
    if (reply->rejected_count > REPLY_REJECTED_MAX || reply->want.block_count > SOURCE_BLOCK_TAGS ||
        reply->want.scan_count > SOURCE_SCAN_FILES)
        abort();
    for (size_t i = 0; i < reply->rejected_count; i++) {
        check_text(reply->rejected[i].type, sizeof reply->rejected[i].type);
        check_text(reply->rejected[i].detail, sizeof reply->rejected[i].detail);
    }
    for (size_t i = 0; i < reply->want.scan_count; i++) {
        if (strspn(reply->want.scan[i], "0123456789abcdef") != SHA256_TEXT_MAX - 1)
            abort();
    }
    if (reply->config.interval_us != 0 &&
        (reply->config.interval_us < 10 * US_PER_SECOND || reply->config.interval_us > US_PER_DAY))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply_snapshots snapshots;
    struct reply_enroll enroll;
    struct reply_problem problem;
    struct err err = {0};
    if (reply_snapshots_read(data, size, &snapshots, &err) != ST_OK &&
        (err.message[0] == '\0' || snapshots.rejected_count != 0 || snapshots.want.full))
        abort();
    check_snapshots(&snapshots);
    if (reply_enroll_read(data, size, &enroll, &err) == ST_OK) {
        if (!snapshot_host_id_valid(enroll.host_id) || strchr(enroll.token, ' ') != NULL)
            abort();
        check_text(enroll.token, sizeof enroll.token);
    }
    reply_problem_read(data, size, &problem);
    check_text(problem.type, sizeof problem.type);
    check_text(problem.detail, sizeof problem.detail);
    return 0;
}
