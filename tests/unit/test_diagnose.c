/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts and rows of invented captures: what a careful reader would say of each. */
#include "common/tag.h"
#include "common/utf8.h"
#include "server/diagnose/diagnose.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

Suite *diagnose_suite(void);

static void diagnose(const char *text, size_t length, struct diagnosis *ret_diagnosis)
{
    struct err err = {0};
    enum status status = diagnose_text(text, length, NULL, ret_diagnosis, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
}

static const struct diagnose_row *row_of(const struct diagnosis *diagnosis, const char *tag,
                                         enum pool pool)
{
    for (size_t i = 0; i < diagnosis->report_count; i++)
        for (size_t k = 0; k < diagnosis->reports[i].row_count; k++) {
            const struct diagnose_row *row = &diagnosis->reports[i].rows[k];
            char text[TAG_TEXT_MAX];
            tag_format(row->tag, text);
            if (row->pool == pool && strcmp(text, tag) == 0)
                return row;
        }
    return NULL;
}

static size_t rows_of(const struct diagnosis *diagnosis)
{
    size_t rows = 0;
    for (size_t i = 0; i < diagnosis->report_count; i++)
        rows += diagnosis->reports[i].row_count;
    return rows;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

#define USED_HEAD                                                                                  \
    " Sorting by NonPaged Pool Consumed\n\n               NonPaged                  Paged\n"       \
    " Tag     Allocs         Used     Allocs         Used\n\n"
#define PAGED_HEAD                                                                                 \
    "Sorting by Paged Pool Consumed\nPool Used:\nNonPaged Paged\nTag Allocs Used Allocs Used\n"
#define VM(np, npmax, p, pmax)                                                                     \
    "Physical Memory: 4194304 ( 16777216 Kb)\nAvailable Pages: 900000 ( 3600000 Kb)\n"             \
    "NonPagedPool Usage: 1 ( " #np " Kb)\nNonPagedPool Max: 1 ( " #npmax " Kb)\n"                  \
    "PagedPool Usage: 1 ( " #p " Kb)\nPagedPool Maximum: 1 ( " #pmax " Kb)\n"
#define SCREEN(n, p)                                                                               \
    "Memory: 8388608K Avail: 3000000K PageFlts: 1 InRam Krnl: 1K P: 1K\n"                          \
    "Commit: 5000000K Limit: 16000000K Peak: 1K Pool N: " #n "K P: " #p "K\n"

static const struct verdict_case {
    const char *name;
    const char *text;
    enum verdict verdict;
} verdict_cases[] = {
    {"empty", "", VERDICT_INSUFFICIENT_DATA},
    {"one tag holds most",
     USED_HEAD " Zorb  2000000   900000000   0   0\tUNKNOWN pooltag 'Zorb', "
               "please update pooltag.txt\n File 1000 40000000 0 0\tFile "
               "objects\n EtwB 90 30000000 0 0\tEtw Buffer , Binary: "
               "nt!etw\n",
     VERDICT_NONPAGED_LEAK_SUSPECT},
    {"large but spread",
     USED_HEAD " EtwB 1428 200000000 0 0\tb , Binary: nt!etw\n HalD 118 "
               "190000000 0 0\tb\n File 9 180000000 0 0\tb\n",
     VERDICT_INSUFFICIENT_DATA},
    {"small list by size",
     USED_HEAD " EtwB 1428 9000000 0 0\tb , Binary: nt!etw\n HalD 118 "
               "7000000 0 0\tb\n File 9 6000000 0 0\tb\n",
     VERDICT_NOTHING_WRONG},
    {"unknown tag on a small system",
     PAGED_HEAD "Qrst 0 0 36405 40930272\nTron 0 0 552 7863232\nGgb 0 0 22 828384\n",
     VERDICT_PAGED_LEAK_SUSPECT},
    {"64-bit maximum is no limit", VM(9000000, 17179869184, 300000, 17179869184),
     VERDICT_NONPAGED_LEAK_SUSPECT},
    {"small pools on 64-bit", VM(500000, 17179869184, 900000, 17179869184), VERDICT_NOTHING_WRONG},
    {"nearly full without failures", VM(250000, 262144, 90000, 360000), VERDICT_NONPAGED_EXHAUSTED},
    {"failing at 85 percent",
     VM(40000, 262144, 306000, 360000) "********** 17 pool allocations have failed **********\n",
     VERDICT_PAGED_EXHAUSTED},
    {"85 percent without failures", VM(40000, 262144, 306000, 360000), VERDICT_INSUFFICIENT_DATA},
    {"failures far from limits",
     VM(20000, 262144, 60000, 360000) "********** 17 pool allocations have failed **********\n",
     VERDICT_INSUFFICIENT_DATA},
    {"page table entries are not pool",
     "*** Virtual Memory Usage ***\n Free System PTEs: 900 ( 3600 Kb)\n\n ***** 20 system PTE "
     "allocations have failed ******\n",
     VERDICT_INSUFFICIENT_DATA},
    {"kernel stacks are not pool",
     VM(500000, 17179869184, 900000, 17179869184) "***** 4 kernel stack PTE allocations have "
                                                  "failed ****\n",
     VERDICT_NOTHING_WRONG},
    {"flag of the debugger",
     "NonPagedPool Usage: 100 ( 400 Kb)\n********** Excessive NonPaged Pool Usage *****\n",
     VERDICT_NONPAGED_EXHAUSTED},
    {"session full",
     "Session Paged Pool Maximum is 16384K\nSession ID 3 @ f7000000:\nPaged Pool Usage: 16200K\n",
     VERDICT_SESSION_POOL_EXHAUSTED},
    {"session fine",
     "Session Paged Pool Maximum is 16384K\nSession ID 3 @ f7000000:\nPaged Pool Usage: 3200K\n",
     VERDICT_NOTHING_WRONG},
    {"never freed", " Hpnd Nonp 900000 ( 0) 12 ( 0) 899988 230396928 ( 0) 256\n",
     VERDICT_NONPAGED_LEAK_SUSPECT},
    {"two large blocks are no leak", " Vbuf Nonp 2 ( 0) 0 ( 0) 2 134217728 ( 0) 67108864\n",
     VERDICT_INSUFFICIENT_DATA},
    {"known pool, small tag",
     SCREEN(300000, 400000) "Hpnd Nonp 9000 ( 0) 0 ( 0) 9000 9216000 ( 0) 1024\n",
     VERDICT_NOTHING_WRONG},
    {"known pool, most of it",
     SCREEN(1200000, 400000) "Hpnd Nonp 900000 ( 0) 90000 ( 0) 810000 829440000 ( 0) 1024\n",
     VERDICT_NONPAGED_LEAK_SUSPECT},
    {"trend that grows", "Time,Nonpaged pool (MB)\n10:00,900\n10:05,1300\n10:10,1750\n",
     VERDICT_NONPAGED_LEAK_SUSPECT},
    {"trend that wavers", "Time,Nonpaged pool (MB)\n10:00,900\n10:05,910\n10:10,895\n",
     VERDICT_INSUFFICIENT_DATA},
    {"trend that fell again", "Time,Paged pool (MB)\n1:00,900\n1:05,1900\n1:10,1000\n",
     VERDICT_INSUFFICIENT_DATA},
    {"single blocks", "!poolfind Abcd 0\n82712000 size: c0 previous size: 0 (Allocated) Abcd\n",
     VERDICT_INSUFFICIENT_DATA},
    {"counts without bytes",
     "Sorting by NonPaged Pool Consumed\nNonPaged\nTag Allocs Frees Diff\nAbcd 9000000 100000 "
     "8900000 text , Binary: x.sys\nEfgh 40000 39000 1000 text\n",
     VERDICT_NONPAGED_LEAK_SUSPECT},
    {"nonpaged pool takes the last memory",
     "SystemCommitLimit 20000000000\nSystemCommitCharge 19900000000\nPagedPoolUsage 500000000\n"
     "PhysicalMemorySize 17179869184\nNonPagedPoolUsage 12000000000\n",
     VERDICT_NONPAGED_EXHAUSTED},
    {"commit short, pools small",
     "SystemCommitLimit 20000000000\nSystemCommitCharge 19900000000\nPagedPoolUsage 500000000\n"
     "PhysicalMemorySize 17179869184\nNonPagedPoolUsage 300000000\n",
     VERDICT_NOTHING_WRONG},
};

START_TEST(verdict_of_capture_is_what_a_reader_says)
{
    const struct verdict_case *c = &verdict_cases[_i];
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    diagnose(c->text, strlen(c->text), &diagnosis);
    ck_assert_msg(diagnosis.verdict == c->verdict, "%s: expected %s, got %s (%s)", c->name,
                  verdict_name(c->verdict), verdict_name(diagnosis.verdict), diagnosis.verdict_why);
    ck_assert_ptr_nonnull(diagnosis.verdict_why);
}
END_TEST

/* ---- rows ------------------------------------------------------------------------------------ */

#define U NUMBER_UNKNOWN
static const struct row_case {
    const char *name;
    const char *text;
    size_t rows;
    const char *tag;
    enum pool pool;
    int64_t allocs, frees, outstanding, bytes;
} row_cases[] = {
    {"glued description", PAGED_HEAD "ohci 1 136 0 01394 OHCI driver\n", 1, "ohci", POOL_NONPAGED,
     1, U, 1, 136},
    {"numeric tag", PAGED_HEAD "8042 4 3944 0 0 PS/2 mouse\n", 1, "8042", POOL_NONPAGED, 4, U, 4,
     3944},
    {"blank in tag", PAGED_HEAD "Dh 1 4 3944 0 0 text\n", 1, "Dh 1", POOL_NONPAGED, 4, U, 4, 3944},
    {"tag repaired from its quoted copy",
     PAGED_HEAD "QPP. 9 99 0 0 UNKNOWN pooltag ' QPP', please update pooltag.txt\n", 1, " QPP",
     POOL_NONPAGED, 9, U, 9, 99},
    {"smart quotes",
     PAGED_HEAD "AG.. 9 99 0 0 UNKNOWN pooltag \xE2\x80\x98  AG\xE2\x80\x99, please\n", 1, "  AG",
     POOL_NONPAGED, 9, U, 9, 99},
    {"poolmon, leading blank in column",
     " Abcd Nonp    1  ( 0)     0 ( 0)   1     16 ( 0)    16\n"
     "  QPP Nonp   10  ( 0)     4 ( 0)   6     96 ( 0)    16\n",
     2, " QPP", POOL_NONPAGED, 10, 4, 6, 96},
    {"poolmon, blanks collapsed", " Irp Nonp 10 ( 0) 4 ( 0) 6 96 ( 0) 16\n", 1, "Irp ",
     POOL_NONPAGED, 10, 4, 6, 96},
    {"wrapped counter", "Wrap Paged 5 4294967290 11 176 16\n", 1, "Wrap", POOL_PAGED, 5, 4294967290,
     11, 176},
    {"control byte",
     "\x01"
     "bcd Paged 5 4 1 176 176\n",
     1, "\\x01bcd", POOL_PAGED, 5, 4, 1, 176},
    {"escaped byte", "Tag,Bytes\n\\x01bcd,5\n", 1, "\\x01bcd", POOL_UNKNOWN, U, U, U, 5},
    {"german thousands", "Tag;Typ;Bytes;Freigaben\nAbcd;Ausgelagert;1.234.567;1.000\n", 1, "Abcd",
     POOL_PAGED, U, 1000, U, 1234567},
    {"blank thousands in a cell", "Tag;Type;Bytes\nAbcd;Paged;1 234 567\n", 1, "Abcd", POOL_PAGED,
     U, U, U, 1234567},
    {"megabytes with a decimal comma", "Tag;Type;MB\nAbcd;Paged;1,5\nEfgh;Paged;2,25\n", 2, "Abcd",
     POOL_PAGED, U, U, U, 1572864},
    {"unit in the cell", "| Tag | Nonpaged usage |\n|---|---:|\n| `Abcd` | 2 KB |\n", 1, "Abcd",
     POOL_NONPAGED, U, U, U, 2048},
    {"not available is unknown", "Tag,Type,Allocs,Bytes\nAbcd,Nonp,n/a,64\n", 1, "Abcd",
     POOL_NONPAGED, U, U, U, 64},
    {"new poolfind", "ffffda0ff9791000 : tag Abcd, size    0x18f0, Nonpaged pool\n", 1, "Abcd",
     POOL_NONPAGED, U, U, U, 6384},
    {"backtick address", "fffffa80`0312a000 : tag Abcd, size 0x10, Paged pool\n", 1, "Abcd",
     POOL_PAGED, U, U, U, 16},
    {"record", "Tag: Abcd\nPaged bytes: 1,024 (1.0 KiB)\nPaged frees: 7\n", 1, "Abcd", POOL_PAGED,
     U, 7, U, 1024},
};

START_TEST(row_of_capture_has_what_is_printed)
{
    const struct row_case *c = &row_cases[_i];
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    diagnose(c->text, strlen(c->text), &diagnosis);
    ck_assert_msg(rows_of(&diagnosis) == c->rows, "%s: %zu rows", c->name, rows_of(&diagnosis));
    const struct diagnose_row *row = row_of(&diagnosis, c->tag, c->pool);
    ck_assert_msg(row != NULL, "%s: no such row", c->name);
    ck_assert_msg(row->allocs == c->allocs, "%s: allocs %lld", c->name, (long long)row->allocs);
    ck_assert_msg(row->frees == c->frees, "%s: frees %lld", c->name, (long long)row->frees);
    ck_assert_msg(row->outstanding == c->outstanding, "%s: outstanding %lld", c->name,
                  (long long)row->outstanding);
    ck_assert_msg(row->bytes == c->bytes, "%s: bytes %lld", c->name, (long long)row->bytes);
}
END_TEST

/* ---- what is no row --------------------------------------------------------- */

static const char *const rowless[] = {
    "Paged pool is fine, he said, and 12 of 40 servers agree.",
    "Tag: you are it\nTime: 12:00\n",
    "The page file is 4096 5 6 7 8 large",
    "From: someone\nTo: someone else\nDate: Mon, 1 Jan 2024 10:00:00\nSubject: pool",
    "10.0.19041.1 9 9 9 9",
};

START_TEST(prose_gives_no_rows)
{
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    diagnose(rowless[_i], strlen(rowless[_i]), &diagnosis);
    ck_assert_uint_eq(rows_of(&diagnosis), 0);
    ck_assert_int_eq(diagnosis.verdict, VERDICT_INSUFFICIENT_DATA);
}
END_TEST

/* ---- suspects and evidence -------------------------------------------------- */

static const char leak[] =
    USED_HEAD " Zorb  2000000   900000000   0   0\tUNKNOWN pooltag 'Zorb', please update "
              "pooltag.txt\n File 1000 40000000 0 0\tFile objects\n EtwB 90 30000000 0 0\tEtw "
              "Buffer , Binary: nt!etw\n";

static bool any_holds(const char *const *texts, size_t count, const char *needle)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(texts[i], needle) != NULL)
            return true;
    return false;
}

START_TEST(suspect_without_evidence_has_no_driver)
{
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    diagnose(leak, strlen(leak), &diagnosis);
    ck_assert_uint_ge(diagnosis.suspect_count, 1);
    ck_assert_ptr_null(diagnosis.suspects[0].driver);
    ck_assert(
        any_holds(diagnosis.next_steps, diagnosis.next_step_count, "findstr /m /l /c:\"Zorb\""));
    ck_assert(any_holds(diagnosis.next_steps, diagnosis.next_step_count, "-PoolTag Zorb"));
}
END_TEST

static const struct evidence_case {
    const char *name;
    const char *text;
    const char *driver;
    const char *hint;
} evidence_cases[] = {
    {"findstr", "C:\\>findstr /m /l Zorb *.sys\nzorbflt.sys\n", "zorbflt.sys", "zorbflt.sys"},
    {"findstr with quotes and path",
     "findstr /m /c:\"Zorb\" C:\\Windows\\System32\\drivers\\*.sys\n"
     "C:\\Windows\\System32\\drivers\\zorbflt.sys\n",
     "zorbflt.sys", NULL},
    {"search of modules",
     "start end module name\nfffff802`10000000 fffff802`10010000   zorbflt    (deferred)\n"
     "0: kd> !for_each_module s -a @#Base @#End \"Zorb\"\n"
     "fffff802`10001230  5a 6f 72 62 00 00 00 00-00 00 00 00 00 00 00 00  Zorb............\n",
     "zorbflt", NULL},
    {"framework default tag",
     "start end module name\nfffff802`10000000 fffff802`10010000   zorbbus    (deferred)\n"
     "fffff802`20000000 fffff802`20010000   ntfs       (deferred)\n",
     "zorbbus.sys", "framework"},
    {"reloaded driver",
     "Unloaded modules:\nf7a3c000 f7a5d000   Acme.sys\nf79bc000 f79dd000   Acme.sys\n", NULL,
     "Acme.sys was unloaded 2 times"},
    {"contention",
     "Resource @ nt!IopLock (0x80559fc0)    Exclusively owned\n    Contention Count = 4411\n", NULL,
     "nt!IopLock"},
    {"handles of a process",
     "PROCESS 8a1b2c3d  SessionId: 0  Cid: 0b04    Peb: 7ffd\n    ObjectTable: e1 HandleCount: "
     "1908328.\n    Image: Hoarder.exe\n",
     NULL, "Hoarder.exe holds 1,908,328 handles"},
    {"handle types", "Type           Count\nEvent          29\nThread         1900000\n", NULL,
     "1,900,000 handles are of type Thread"},
};

START_TEST(evidence_names_driver_and_cause)
{
    const struct evidence_case *c = &evidence_cases[_i];
    struct strbuf text CLEANUP(strbuf_done) = STRBUF_INIT;
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    strbuf_printf(&text, "%s\n%s", leak, c->text);
    diagnose(text.data, text.length, &diagnosis);
    ck_assert_uint_ge(diagnosis.suspect_count, 1);
    if (c->driver == NULL)
        ck_assert_msg(diagnosis.suspects[0].driver == NULL, "%s", c->name);
    else
        ck_assert_msg(diagnosis.suspects[0].driver != NULL &&
                          strcmp(diagnosis.suspects[0].driver, c->driver) == 0,
                      "%s: driver %s", c->name, diagnosis.suspects[0].driver);
    if (c->hint != NULL)
        ck_assert_msg(any_holds(diagnosis.hints, diagnosis.hint_count, c->hint), "%s", c->name);
}
END_TEST

START_TEST(equal_counts_show_one_cause)
{
    static const char text[] =
        USED_HEAD " Wfra 5768754 1938325232 0 0\tx , Binary: wfra.sys\n IoWI "
                  "5769999 646239888 0 0\ty , Binary: nt!io\n File 90 100000 "
                  "0 0\tz\n";
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    diagnose(text, sizeof text - 1, &diagnosis);
    ck_assert_uint_eq(diagnosis.suspect_count, 2);
    ck_assert_ptr_nonnull(strstr(diagnosis.suspects[1].why, "one cause"));
    ck_assert_ptr_nonnull(
        strstr(diagnosis.suspects[0].why, "5,768,754 blocks outstanding of 336 bytes each"));
}
END_TEST

START_TEST(thread_objects_hint_at_handles)
{
    static const char text[] =
        PAGED_HEAD "Thre 1908328 1419794592 0 0 Thread objects , Binary: nt!ps\nnVsC 519 1474176 0 "
                   "0 x\nPool 5 1156680 0 0 y\n";
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    diagnose(text, sizeof text - 1, &diagnosis);
    ck_assert(any_holds(diagnosis.hints, diagnosis.hint_count, "does not close its handles"));
    ck_assert(any_holds(diagnosis.next_steps, diagnosis.next_step_count, "HandleCount"));
}
END_TEST

/* ---- input and output ------------------------------------------------------- */

START_TEST(utf16_in_both_orders_reads_like_utf8)
{
    static const char plain[] = "Abcd Nonp 5 4 1 176 176\r\n";
    for (int big = 0; big < 2; big++) {
        char wide[2 * sizeof plain + 2];
        size_t used = 0;
        wide[used++] = (char)(big ? 0xFE : 0xFF);
        wide[used++] = (char)(big ? 0xFF : 0xFE);
        for (size_t i = 0; i < sizeof plain - 1; i++) {
            wide[used++] = big ? 0 : plain[i];
            wide[used++] = big ? plain[i] : 0;
        }
        struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
        diagnose(wide, used, &diagnosis);
        ck_assert_ptr_nonnull(row_of(&diagnosis, "Abcd", POOL_NONPAGED));
    }
}
END_TEST

START_TEST(json_of_any_bytes_is_utf8)
{
    char bytes[256 + 32] = "Tag,Type,Bytes,Description\nAbcd,Nonp,5,";
    size_t used = strlen(bytes);
    for (int i = 1; i < 240; i++)
        if (i != '\n' && i != '\r' && i != '"')
            bytes[used++] = (char)i;
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    struct strbuf json CLEANUP(strbuf_done) = STRBUF_INIT;
    diagnose(bytes, used, &diagnosis);
    diagnose_json(&diagnosis, "[]", &json);
    ck_assert(utf8_valid(json.data, json.length));
    ck_assert_ptr_nonnull(strstr(json.data, "\"comparison\":[]}"));
    ck_assert_ptr_nonnull(strstr(json.data, "\"allocs\":null"));
}
END_TEST

START_TEST(terminal_text_begins_with_the_verdict)
{
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = STRBUF_INIT;
    diagnose(leak, strlen(leak), &diagnosis);
    diagnose_print(&diagnosis, &text);
    ck_assert_int_eq(strncmp(text.data, "a leak in the nonpaged pool is likely\n", 38), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "Zorb"));
}
END_TEST

START_TEST(text_beyond_the_limit_is_refused)
{
    static char large[(8u << 20) + 1];
    struct diagnosis diagnosis = {0};
    struct err err = {0};
    ck_assert_int_eq(diagnose_text(large, sizeof large, NULL, &diagnosis, &err), ST_TOO_LARGE);
    ck_assert_uint_eq(diagnosis.report_count, 0);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

Suite *diagnose_suite(void)
{
    Suite *suite = suite_create("diagnose");
    TCase *tc = tcase_create("diagnose");
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, verdict_of_capture_is_what_a_reader_says, 0, COUNT(verdict_cases));
    tcase_add_loop_test(tc, row_of_capture_has_what_is_printed, 0, COUNT(row_cases));
    tcase_add_loop_test(tc, prose_gives_no_rows, 0, COUNT(rowless));
    tcase_add_test(tc, suspect_without_evidence_has_no_driver);
    tcase_add_loop_test(tc, evidence_names_driver_and_cause, 0, COUNT(evidence_cases));
    tcase_add_test(tc, equal_counts_show_one_cause);
    tcase_add_test(tc, thread_objects_hint_at_handles);
    tcase_add_test(tc, utf16_in_both_orders_reads_like_utf8);
    tcase_add_test(tc, json_of_any_bytes_is_utf8);
    tcase_add_test(tc, terminal_text_begins_with_the_verdict);
    tcase_add_test(tc, text_beyond_the_limit_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
