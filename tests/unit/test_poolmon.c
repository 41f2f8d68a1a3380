/* SPDX-License-Identifier: Apache-2.0 */
/* The console's table: columns, filters, order, changes, CSV; and that `poolfleetd diagnose` reads
 * every row of it back. */
#include "agent/core/poolmon.h"
#include "server/diagnose/diagnose.h"

#include <check.h>

Suite *poolmon_suite(void);

#define LEAK 0x6b61654cu /* "Leak" */
#define IO   0x20206f49u /* "Io  " */
#define MPP  0x50504d20u /* " MPP" */
#define MM   0x6d4d6d4du /* "MmMm" */
#define ODD  0x63626101u /* "\x01abc" */

struct given {
    uint32_t tag, allocs, frees;
    uint64_t bytes;
};

static struct snapshot now;
static struct snapshot before;
static struct poolmon_options options;
static struct strbuf out;
static struct err err;

static void fill(struct snapshot *snapshot, enum pool pool, const struct given *rows, size_t count)
{
    struct snapshot_table *table = &snapshot->table[pool];
    ck_assert_int_eq(snapshot_table_alloc(&snapshot->arena, table, count, COLUMN_ALL), ST_OK);
    for (size_t i = 0; i < count; i++) {
        table->tag[i] = rows[i].tag;
        table->allocs[i] = rows[i].allocs;
        table->frees[i] = rows[i].frees;
        table->bytes[i] = rows[i].bytes;
    }
    ck_assert_int_eq(snapshot_table_sort(table, &err), ST_OK);
}

static const struct given nonpaged[] = {{LEAK, 5000, 1000, 32768000},
                                        {IO, 3000000000u, 2999999990u, 640},
                                        {MM, 3, 0xffffffffu, 4096}}; /* wrapped: 4 blocks */
static const struct given paged[] = {{MPP, 276, 275, 80}, {MM, 7, 7, 0}};

static void setup(void)
{
    snapshot_init(&now);
    snapshot_init(&before);
    options = (struct poolmon_options){0};
    out = (struct strbuf)STRBUF_INIT;
    err = (struct err){0};
    fill(&now, POOL_NONPAGED, nonpaged, 3);
    fill(&now, POOL_PAGED, paged, 2);
}

static void teardown(void)
{
    snapshot_done(&now);
    snapshot_done(&before);
    strbuf_done(&out);
}

/* Options in one text, parted by blanks. */
static void use(const char *text)
{
    static char words[256];
    snprintf(words, sizeof words, "%s", text);
    char *rest = words;
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        if (*word != '\0')
            ck_assert_msg(poolmon_option(&options, word, &err) == ST_OK, "%s: %s", word,
                          err.message);
    }
}

static const char *owner(void *arg, uint32_t tag)
{
    (void)arg;
    return tag == LEAK ? "leaky.sys - made for tests" : NULL;
}

static const char *print(const struct snapshot *earlier)
{
    strbuf_clear(&out);
    poolmon_print(&now, earlier, &options, owner, NULL, &out);
    ck_assert(!strbuf_failed(&out));
    return out.data;
}

/* First letters of the tags in the order of rows: "L", "I", ... */
static const char *order(const struct snapshot *earlier)
{
    static char letters[64];
    size_t count = 0;
    const char *line = print(earlier);
    for (; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *type = strstr(line, " Nonp ");
        const char *other = strstr(line, " Paged ");
        const char *end = strchr(line, '\n');
        if (type == NULL || (other != NULL && other < type))
            type = other;
        if (type != NULL && type < end && type - line >= 5 && strncmp(line, "TOTAL", 5) != 0)
            letters[count++] = type[-4] != ' ' ? type[-4] : type[-3];
    }
    letters[count] = '\0';
    return letters;
}

START_TEST(table_without_changes_to_the_letter)
{
    totals_set(&now.totals, TOTAL_PHYSICAL_BYTES, 8ull << 30);
    totals_set(&now.totals, TOTAL_AVAILABLE_BYTES, 2ull << 30);
    totals_set(&now.totals, TOTAL_COMMIT_BYTES, 3ull << 30);
    totals_set(&now.totals, TOTAL_COMMIT_LIMIT_BYTES, 9ull << 30);
    totals_set(&now.totals, TOTAL_NONPAGED_BYTES, 700ull << 20);
    totals_set(&now.totals, TOTAL_PAGED_BYTES, 500ull << 20);
    ck_assert_str_eq(
        print(NULL),
        " Memory: 8388608K Avail: 2097152K\n"
        " Commit: 3145728K Limit: 9437184K            Pool N:  716800K P:  512000K\n"
        " System pool information\n"
        " Tag  Type      Allocs      Frees    Diff      Bytes Per Alloc  Mapped_Driver\n"
        "\n"
        "  MPP Paged        276        275       1         80        80\n"
        " Io   Nonp  3000000000 2999999990      10        640        64\n"
        " Leak Nonp        5000       1000    4000   32768000      8192 [leaky.sys - made for "
        "tests]\n"
        " MmMm Nonp           3 4294967295       4       4096      1024\n"
        " MmMm Paged          7          7       0          0         0\n");
}
END_TEST

static void earlier_tables(void)
{
    static const struct given then[] = {{LEAK, 4000, 900, 25395200}, {IO, 0xfffffff0u, 0, 9000}};
    fill(&before, POOL_NONPAGED, then, 2);
    fill(&before, POOL_PAGED, paged, 2);
}

START_TEST(changes_counts_modulo_bytes_signed_new_rows_from_nothing)
{
    earlier_tables();
    const char *text = print(&before);
    const char *leak = strstr(text, " Leak ");
    const char *io = strstr(text, " Io ");
    const char *mm = strstr(text, " MmMm Nonp");
    ck_assert_ptr_nonnull(leak);
    ck_assert_int_eq(strncmp(leak,
                             " Leak Nonp        5000 (      1000)       1000 (       100)    4000"
                             "   32768000 (7372800)      8192 [leaky",
                             60),
                     0);
    ck_assert_ptr_nonnull(strstr(io, "3000000000 (3000000016)"));
    ck_assert_ptr_nonnull(strstr(io, "640 (  -8360)"));
    ck_assert_ptr_nonnull(strstr(mm, "4096 (   4096)"));
    ck_assert_ptr_nonnull(strstr(text, "80 (      0)"));
}
END_TEST

static const struct {
    const char *options;
    const char *order;
} orders[] = {
    {"", "MILMM"},
    {"/t", "MILMM"},
    {"/a", "ILMMM"},
    {"/f", "MILMM"},
    {"/d", "LIMMM"},
    {"-b", "LMIMM"},
    {"/m", "LMMIM"},
    {"--sort=bytes", "LMIMM"},
    {"--sort=per-alloc --rows=2", "LM"},
    {"/p", "ILM"},
    {"/p /p", "MM"},
    {"/p /p /p", "MILMM"},
    {"--pool=paged", "MM"},
    {"--pool=paged --pool=both", "MILMM"},
    {"/iLeak", "L"},
    {"/iLe* -iIo", "IL"},
    {"/iM*", "MM"},
    {"/i?m?m", "MM"},
    {"/i*M*", "MMM"},
    {"/xM?M?", "MIL"},
    {"/i* /xIo /xLeak", "MMM"},
    {"/ileak", ""},
    {"/iMmM", ""},
    {"/b --rows=1 /e", "L"},
    {"/l /g", "MILMM"},
};

START_TEST(options_choose_and_order_rows)
{
    use(orders[_i].options);
    ck_assert_msg(strcmp(order(NULL), orders[_i].order) == 0, "\"%s\": %s", orders[_i].options,
                  order(NULL));
}
END_TEST

static const struct {
    const char *options;
    const char *order;
} change_orders[] = {
    {"/(", "LMMMI"}, /* by bytes: +7372800, +4096, 0, 0, -8360 */
    {"/b -)", "LMMMI"}, {"/a /(", "ILMMM"}, {"/f /(", "MILMM"}, {"/d --by-change", "LIMMM"},
    {"/m /(", "MIMLM"},
};

START_TEST(options_order_rows_by_change)
{
    earlier_tables();
    use(change_orders[_i].options);
    ck_assert_msg(strcmp(order(&before), change_orders[_i].order) == 0, "\"%s\": %s",
                  change_orders[_i].options, order(&before));
}
END_TEST

START_TEST(by_change_without_an_earlier_snapshot_orders_by_value)
{
    use("/b /(");
    ck_assert_str_eq(order(NULL), "LMIMM");
}
END_TEST

static const struct {
    const char *option;
    enum status status;
} bad[] = {
    {"snapshot", ST_NOT_FOUND},
    {"/", ST_NOT_FOUND},
    {"-", ST_NOT_FOUND},
    {"/q", ST_NOT_FOUND},
    {"/bb", ST_NOT_FOUND},
    {"--json", ST_NOT_FOUND},
    {"", ST_NOT_FOUND},
    {"--sort", ST_NOT_FOUND},
    {"/i", ST_INVALID},
    {"/x", ST_INVALID},
    {"--include=", ST_INVALID},
    {"--sort=size", ST_INVALID},
    {"--pool=Paged", ST_INVALID},
    {"--rows=", ST_INVALID},
    {"--rows=-1", ST_INVALID},
    {"--rows=1x", ST_INVALID},
    {"--rows=99999999999999999999", ST_INVALID},
    {"/s", ST_INVALID},
    {"/s2", ST_INVALID},
    {"/c", ST_INVALID},
    {"/nlog.txt", ST_INVALID},
};

START_TEST(option_that_is_none_or_wrong_changes_nothing)
{
    struct poolmon_options same = options;
    ck_assert_int_eq(poolmon_option(&options, bad[_i].option, &err), bad[_i].status);
    ck_assert_str_ne(err.message, "");
    ck_assert_mem_eq(&same, &options, sizeof same);
}
END_TEST

START_TEST(one_filter_too_many_is_invalid)
{
    for (unsigned i = 0; i < POOLMON_FILTERS_MAX; i++)
        ck_assert_int_eq(poolmon_option(&options, "/iAbcd", &err), ST_OK);
    ck_assert_int_eq(poolmon_option(&options, "/iAbcd", &err), ST_INVALID);
    ck_assert_int_eq(poolmon_option(&options, "/xAbcd", &err), ST_OK);
}
END_TEST

START_TEST(escaped_tags_keep_columns_straight_and_match_by_byte)
{
    static const struct given rows[] = {
        {ODD, 5, 1, 4096}, {LEAK, 9, 1, 800}, {0x00000001, 9, 1, 8}, {MPP, 1, 0, 16}};
    fill(&now, POOL_NONPAGED, rows, 4);
    const char *text = print(NULL);
    size_t column = 0;
    unsigned lines = 0;
    for (const char *line = strstr(text, "\n\n") + 2; *line != '\0';
         line = strchr(line, '\n') + 1) {
        const char *type = strstr(line, "Nonp ");
        if (type == NULL || type > strchr(line, '\n'))
            type = strstr(line, "Paged ");
        ck_assert_ptr_nonnull(type);
        size_t at = (size_t)(type - line);
        ck_assert(column == 0 || column == at);
        column = at;
        lines++;
    }
    ck_assert_uint_eq(lines, 6);
    ck_assert_uint_eq(column, 1 + 16 + 1);
    ck_assert_ptr_nonnull(strstr(text, "\\x01\\x00\\x00\\x00 Nonp"));
    ck_assert_ptr_nonnull(strstr(text, "         \\x01abc Nonp"));
    use("/i\\x01*");
    text = print(NULL);
    ck_assert_ptr_nonnull(strstr(text, "\\x01abc"));
    ck_assert_ptr_nonnull(strstr(text, "\\x01\\x00"));
    ck_assert_ptr_null(strstr(text, "Leak"));
}
END_TEST

START_TEST(totals_are_of_the_rows_that_pass_even_when_not_shown)
{
    use("/e --rows=1 /xIo");
    const char *text = print(NULL);
    ck_assert_ptr_nonnull(
        strstr(text, "\nTOTAL Nonp  2 tags, 4004 blocks outstanding, 32772096 bytes\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nTOTAL Paged 2 tags, 1 blocks outstanding, 80 bytes\n"));
}
END_TEST

START_TEST(simulated_data_says_so_on_top)
{
    options.simulated = "Simulated: from a recording, not from this computer's kernel";
    ck_assert_int_eq(
        strncmp(print(NULL), "Simulated: from a recording, not from this computer", 51), 0);
}
END_TEST

START_TEST(counters_not_known_are_not_shown_as_zero)
{
    now.table[POOL_PAGED].frees = NULL;
    ck_assert_ptr_nonnull(strstr(print(NULL), " MPP Paged counters not known\n"));
    strbuf_clear(&out);
    poolmon_print_csv(&now, &options, &out);
    ck_assert_ptr_nonnull(strstr(out.data, "\" MPP\",paged,,,,\r\n"));
}
END_TEST

START_TEST(csv_to_the_letter)
{
    static const struct given rows[] = {{0x2c226122, 5, 1, 4096}, {ODD, 1, 0, 16}};
    fill(&now, POOL_NONPAGED, rows, 2);
    use("/xM*");
    poolmon_print_csv(&now, &options, &out);
    ck_assert_str_eq(out.data, "tag,pool,allocs,frees,outstanding,bytes\r\n"
                               "\"\\x01abc\",nonpaged,1,0,1,16\r\n"
                               "\" MPP\",paged,276,275,1,80\r\n"
                               "\"\"\"a\"\",\",nonpaged,5,1,4,4096\r\n");
    strbuf_clear(&out);
    options.simulated = "yes";
    use("--rows=1");
    poolmon_print_csv(&now, &options, &out);
    ck_assert_str_eq(out.data, "tag,pool,allocs,frees,outstanding,bytes,simulated\r\n"
                               "\"\\x01abc\",nonpaged,1,0,1,16,yes\r\n");
}
END_TEST

/* ---- read back */

#define MANY 1500

static void make_many(struct snapshot *snapshot, uint32_t step)
{
    struct given rows[MANY];
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        for (uint32_t i = 0; i < MANY; i++) {
            uint32_t n = i * 2654435761u;
            unsigned char bytes[4] = {(unsigned char)(' ' + n % 95), (unsigned char)('!' + i % 93),
                                      (unsigned char)('!' + i / 93 % 93),
                                      (unsigned char)(i % 5 == 0 ? ' ' : '!' + n / 95 % 93)};
            for (unsigned b = 0; b < 4; b++)
                bytes[b] = bytes[b] == '\\' ? '_' : bytes[b];
            if (bytes[0] == '>') /* a pasted line's mark of quotation to that reader */
                bytes[0] = '<';
            rows[i] = (struct given){tag_from_bytes(bytes), n + step * (i % 50), n - i % 7777,
                                     (uint64_t)(i % 7777) * (32u << i % 9)};
            if (i % 7777 == 0)
                rows[i].bytes = 0;
        }
        fill(snapshot, (enum pool)pool, rows, MANY);
    }
}

/* Every printed row is one of the snapshot, with the same numbers. */
static void read_back(const char *text)
{
    AUTO_DIAGNOSIS struct diagnosis diagnosis;
    ck_assert_int_eq(diagnose_text(text, strlen(text), NULL, &diagnosis, &err), ST_OK);
    ck_assert_uint_eq(diagnosis.report_count, 1);
    const struct diagnose_report *report = &diagnosis.reports[0];
    ck_assert_str_eq(report->tool, "poolmon");
    ck_assert_uint_eq(report->row_count,
                      now.table[POOL_NONPAGED].count + now.table[POOL_PAGED].count);
    for (size_t i = 0; i < report->row_count; i++) {
        const struct diagnose_row *row = &report->rows[i];
        ck_assert_uint_lt(row->pool, POOL_COUNT);
        const struct snapshot_table *table = &now.table[row->pool];
        size_t at = snapshot_table_find(table, row->tag);
        ck_assert_msg(at != SIZE_MAX, "tag %08x", row->tag);
        ck_assert_int_eq(row->allocs, table->allocs[at]);
        ck_assert_int_eq(row->frees, table->frees[at]);
        ck_assert_int_eq(row->outstanding, counter_delta(table->allocs[at], table->frees[at]));
        ck_assert_int_eq(row->bytes, (int64_t)table->bytes[at]);
    }
}

START_TEST(diagnose_reads_every_row_back)
{
    static const char *const orders_used[] = {"", "/b", "/a /(", "/b /e"};
    make_many(&now, 3);
    make_many(&before, 1);
    totals_set(&now.totals, TOTAL_PHYSICAL_BYTES, 8ull << 30);
    totals_set(&now.totals, TOTAL_AVAILABLE_BYTES, 2ull << 30);
    use(orders_used[_i / 2]);
    options.simulated = _i % 2 == 0 ? NULL : "Simulated: made for a test";
    read_back(print(_i % 2 == 0 ? NULL : &before));
}
END_TEST

START_TEST(diagnose_reads_tags_with_outer_blanks_and_drivers_back)
{
    read_back(print(NULL));
    earlier_tables();
    read_back(print(&before));
}
END_TEST

Suite *poolmon_suite(void)
{
    Suite *suite = suite_create("poolmon");
    TCase *tcase = tcase_create("table");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, table_without_changes_to_the_letter);
    tcase_add_test(tcase, changes_counts_modulo_bytes_signed_new_rows_from_nothing);
    tcase_add_loop_test(tcase, options_choose_and_order_rows, 0,
                        (int)(sizeof orders / sizeof *orders));
    tcase_add_loop_test(tcase, options_order_rows_by_change, 0,
                        (int)(sizeof change_orders / sizeof *change_orders));
    tcase_add_test(tcase, by_change_without_an_earlier_snapshot_orders_by_value);
    tcase_add_loop_test(tcase, option_that_is_none_or_wrong_changes_nothing, 0,
                        (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tcase, one_filter_too_many_is_invalid);
    tcase_add_test(tcase, escaped_tags_keep_columns_straight_and_match_by_byte);
    tcase_add_test(tcase, totals_are_of_the_rows_that_pass_even_when_not_shown);
    tcase_add_test(tcase, simulated_data_says_so_on_top);
    tcase_add_test(tcase, counters_not_known_are_not_shown_as_zero);
    tcase_add_test(tcase, csv_to_the_letter);
    tcase_add_loop_test(tcase, diagnose_reads_every_row_back, 0, 8);
    tcase_add_test(tcase, diagnose_reads_tags_with_outer_blanks_and_drivers_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
