/* SPDX-License-Identifier: Apache-2.0 */
/* Text in, diagnosis out: split, read, judge. The arena of the diagnosis holds all of it. */
#include "server/diagnose/diagnose.h"

#include "common/limits.h"
#include "server/diagnose/judge.h"
#include "server/diagnose/parse.h"
#include "server/diagnose/text.h"

#include <stdarg.h>
#include <string.h>

void diagnosis_done(struct diagnosis *diagnosis)
{
    arena_done(&diagnosis->arena);
    *diagnosis = (struct diagnosis){0};
}

const char *judge_text(struct judge *judge, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text =
        length < 0 ? NULL : arena_alloc(judge->parse->arena, (size_t)length + 1, sizeof *text);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    if (text == NULL) {
        judge->parse->failed = true;
        return "";
    }
    return text;
}

const char *size_text(double bytes, char text[SIZE_TEXT])
{
    if (bytes >= GIB)
        snprintf(text, SIZE_TEXT, "%.1f GB", bytes / GIB < 1e9 ? bytes / GIB : 1e9);
    else if (bytes >= MIB)
        snprintf(text, SIZE_TEXT, "%.0f MB", bytes / MIB);
    else if (bytes >= KIB)
        snprintf(text, SIZE_TEXT, "%.0f KB", bytes / KIB);
    else
        snprintf(text, SIZE_TEXT, "%.0f bytes", bytes);
    return text;
}

static void publish_reports(struct parse *parse, struct diagnosis *diagnosis)
{
    diagnosis->reports =
        arena_alloc(parse->arena, parse->report_count + 1, sizeof *diagnosis->reports);
    if (diagnosis->reports == NULL) {
        parse->failed = true;
        return;
    }
    for (size_t i = 0; i < parse->report_count; i++)
        diagnosis->reports[i] = parse->reports[i].out;
    diagnosis->report_count = parse->report_count;
}

enum status diagnose_text(const char *text, size_t length, const struct tagdict *dict,
                          struct diagnosis *ret_diagnosis, struct err *err)
{
    if (length > LIMIT_DIAGNOSE_BYTES)
        return err_set(err, ST_TOO_LARGE, "could not read text: it is larger than %u bytes",
                       LIMIT_DIAGNOSE_BYTES);
    struct text lines AUTO_TEXT = {0};
    enum status status = text_split(text, length, &lines);
    if (status != ST_OK)
        return err_set(err, status, "could not read text: out of memory");

    struct diagnosis diagnosis AUTO_DIAGNOSIS = {0};
    struct parse parse = {
        .arena = &diagnosis.arena,
        .lines = lines.lines,
        .count = lines.count,
        .evidence = {.free_ptes = NUMBER_UNKNOWN},
    };
    struct judge judge = {.parse = &parse, .dict = dict, .out = &diagnosis};
    parse_all(&parse);
    if (!parse.failed) {
        facts_gather(&judge);
        judge_verdict(&judge);
        judge_suspects(&judge);
        judge_advice(&judge);
        publish_reports(&parse, &diagnosis);
    }
    if (parse.failed)
        return err_set(err, ST_NOMEM, "could not diagnose text: out of memory");
    *ret_diagnosis = diagnosis;
    diagnosis = (struct diagnosis){0};
    return ST_OK;
}
