/* SPDX-License-Identifier: Apache-2.0 */
/* `scan-drivers`: which loaded drivers allocate with these tags. */
#include "agent/nt/nt.h"
#include "agent/win/cli.h"
#include "common/tag.h"

enum { SCAN_JSON };

static int compare_tags(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

enum status cmd_scan_drivers(struct cli *cli, struct err *err)
{
    uint32_t tags[CLI_OPERANDS_MAX];
    size_t count = 0;
    struct win_kernel kernel;
    if (cli->operand_count == 0)
        return err_set(err, ST_USAGE, "no tag is given");
    for (size_t i = 0; i < cli->operand_count; i++) {
        const char *text = cli->operands[i];
        if (!tag_parse_padded(text, strlen(text), &tags[i]))
            return err_set(err, ST_USAGE, "\"%.64s\" is not a pool tag of one to four characters",
                           text);
    }
    qsort(tags, cli->operand_count, sizeof *tags, compare_tags);
    for (size_t i = 0; i < cli->operand_count; i++) {
        if (count == 0 || tags[count - 1] != tags[i])
            tags[count++] = tags[i];
    }
    enum status st = win_check_native(err);
    if (st == ST_OK)
        st = win_kernel_open(&cli->settings, &kernel, err);
    if (st != ST_OK)
        return st;
    const char *label = win_kernel_label(&kernel);
    if (label != NULL)
        win_printf(WIN_ERR, "%s\n", label);
    st = win_scan_drivers(kernel.calls, tags, count, cli->flags[SCAN_JSON] != NULL, err);
    win_kernel_close(&kernel);
    return st;
}
