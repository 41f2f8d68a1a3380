/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check FOLDER: the scanner against every driver that scripts/check_drivers.sh compiled there. For
 * each, the tags of strong evidence must be exactly those of the table (precision and recall both
 * 1), with the allocator's name; and decoys must never be strong.
 */
#include "agent/pe/tag_scan.h"
#include "common/cleanup.h"
#include "common/tag.h"

#include <glob.h>

struct expected {
    const char *driver;
    const char *tag;
    const char *api;
};

static const struct expected EXPECTED[] = {
    {"allocate", "Eit1", "ExAllocatePoolWithTag"},
    {"allocate", "Eit2", "ExAllocatePoolWithTag"},
    {"allocate", "Free", "ExFreePoolWithTag"},
    {"allocate", "Held", "ExAllocatePoolWithTag"},
    {"allocate", "Hlp1", "ExAllocatePoolWithTag"},
    {"allocate", "Hlp2", "ExAllocatePoolWithTag"},
    {"allocate", "Loop", "ExAllocatePoolWithTag"},
    {"allocate", "Poo2", "ExAllocatePool2"},
    {"allocate", "Poo3", "ExAllocatePool3"},
    {"allocate", "Prio", "ExAllocatePoolWithTagPriority"},
    {"allocate", "Prtd", "ExAllocatePoolWithTag"},
    {"allocate", "Sev1", "ExAllocatePoolWithTag"},
    {"allocate", "Sev2", "ExAllocatePoolWithTag"},
    {"allocate", "Sev3", "ExAllocatePoolWithTag"},
    {"allocate", "Tail", "ExAllocatePoolWithQuotaTag"},
    {"allocate", "Wtag", "ExAllocatePoolWithTag"},
    {"decoys", "Real", "ExAllocatePoolWithTag"},
    {"lookaside", "Lkex", "ExInitializeLookasideListEx"},
    {"lookaside", "Lknp", "ExInitializeNPagedLookasideList"},
    {"lookaside", "Lkpg", "ExInitializePagedLookasideList"},
    {"kmdf", "usbx", ""},
    {"ports", "FltA", "FltAllocatePoolAlignedWithTag"},
    {"ports", "Ndpr", "NdisAllocateMemoryWithTagPriority"},
    {"ports", "Ndtg", "NdisAllocateMemoryWithTag"},
    {"ports", "Stor", "StorPortExtendedFunction"},
};

/* Tags that stand in the file, and the most that may be said of them. */
static const struct {
    const char *driver;
    const char *tag;
    enum tag_evidence most;
} DECOYS[] = {
    {"decoys", "Strg", TAG_BYTES}, {"decoys", "Dat1", TAG_BYTES}, {"decoys", "Dat2", TAG_BYTES},
    {"decoys", "Sign", TAG_BYTES}, {"decoys", "Cmp1", TAG_CODE},  {"decoys", "Cmp2", TAG_CODE},
    {"decoys", "Swi1", TAG_CODE},  {"decoys", "Swi2", TAG_CODE},  {"decoys", "Swi3", TAG_CODE},
    {"decoys", "Fiel", TAG_CODE},  {"decoys", "Refs", TAG_CODE},  {"decoys", "Prnt", TAG_CODE},
    {"decoys", "Size", TAG_CODE},  {"kmdf", "WdfM", TAG_CODE},    {"ports", "Nota", TAG_CODE},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static unsigned passed, failed, true_hits, false_hits, missed;

static void result(bool good, const char *file, const char *what, const char *tag)
{
    if (good) {
        passed++;
        return;
    }
    failed++;
    printf("FAILED %s: %s %s\n", file, what, tag);
}

static uint32_t tag_of(const char *text)
{
    uint32_t tag = 0;
    if (!tag_parse(text, strlen(text), &tag))
        abort();
    return tag;
}

static unsigned char *read_file(const char *path, size_t *ret_length)
{
    AUTO_FILE FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    size_t length = (size_t)ftell(file);
    rewind(file);
    AUTO_FREE unsigned char *data = malloc(length + 1);
    if (data == NULL || fread(data, 1, length, file) != length)
        return NULL;
    *ret_length = length;
    return TAKE(data);
}

static const struct tag_hit *find(const struct tag_scan *scan, uint32_t tag)
{
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->hits[i].tag == tag)
            return &scan->hits[i];
    }
    return NULL;
}

static void check_extraction(const struct pe *pe, const char *file, const char *driver)
{
    static struct tag_scan scan;
    size_t expected = 0;
    tag_scan(pe, NULL, 0, NULL, 0, "usbxhci", &scan);
    result(scan.allocates && !scan.packed && !scan.more, file, "flags", "");
    for (size_t i = 0; i < COUNT(EXPECTED); i++) {
        if (strcmp(EXPECTED[i].driver, driver) != 0)
            continue;
        const struct tag_hit *hit = find(&scan, tag_of(EXPECTED[i].tag));
        bool good = hit != NULL && strcmp(hit->api, EXPECTED[i].api) == 0;
        result(good, file, hit == NULL ? "not found" : hit->api, EXPECTED[i].tag);
        expected++;
        true_hits += hit != NULL;
        missed += hit == NULL;
    }
    for (size_t i = 0; i < scan.count; i++) {
        char text[TAG_TEXT_MAX];
        bool known = false;
        tag_format(scan.hits[i].tag, text);
        for (size_t e = 0; e < COUNT(EXPECTED); e++)
            known |= strcmp(EXPECTED[e].driver, driver) == 0 && strcmp(EXPECTED[e].tag, text) == 0;
        false_hits += !known;
        result(known, file, "is no allocation:", text);
    }
    result(expected > 0, file, "is not in the table", "");
}

static void check_decoys(const struct pe *pe, const char *file, const char *driver)
{
    static struct tag_scan scan;
    for (size_t i = 0; i < COUNT(DECOYS); i++) {
        if (strcmp(DECOYS[i].driver, driver) != 0)
            continue;
        uint32_t tag = tag_of(DECOYS[i].tag);
        tag_scan(pe, &tag, 1, NULL, 0, NULL, &scan);
        /* on ARM64 a constant does not stand as four bytes: nothing at all is right, too */
        bool found = scan.count == 1 && scan.hits[0].evidence <= DECOYS[i].most;
        bool absent = scan.count == 0 && (pe->machine == PE_ARM64 || DECOYS[i].most > TAG_BYTES);
        result(found || absent, file, "decoy is too strong or lost:", DECOYS[i].tag);
    }
    if (strcmp(driver, "kmdf") == 0) {
        uint32_t tag = tag_of("WdfM");
        tag_scan(pe, NULL, 0, &tag, 1, NULL, &scan);
        result(scan.count == 1 && scan.hits[0].evidence == TAG_CODE, file,
               "is not medium with the tag seen live:", "WdfM");
    }
}

static void check_driver(const char *path)
{
    size_t length;
    struct pe pe;
    struct err err = {0};
    char driver[32] = "";
    const char *name = strrchr(path, '-');
    snprintf(driver, sizeof driver, "%.*s", (int)strcspn(name + 1, "."), name + 1);
    AUTO_FREE unsigned char *data = read_file(path, &length);
    if (data == NULL || pe_open(data, length, &pe, &err) != ST_OK) {
        result(false, path, "could not be read", err.message);
        return;
    }
    const char *file = strrchr(path, '/') + 1;
    enum pe_machine machine = strstr(path, "/x86/") != NULL     ? PE_X86
                              : strstr(path, "/arm64/") != NULL ? PE_ARM64
                                                                : PE_X64;
    result(pe.machine == machine, file, "is of another machine", "");
    check_extraction(&pe, file, driver);
    check_decoys(&pe, file, driver);
}

static void check_facts(const char *folder, const char *name, const char *symbols, bool repro)
{
    char path[512];
    size_t length;
    struct pe pe;
    static struct pe_facts facts;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    AUTO_FREE unsigned char *data = read_file(path, &length);
    if (data == NULL || pe_open(data, length, &pe, NULL) != ST_OK) {
        result(false, name, "could not be read", "");
        return;
    }
    pe_facts(&pe, &facts);
    result(strcmp(facts.version, "32.0.11002.41") == 0, name, "version", facts.version);
    result(strcmp(facts.company, "Example \xc3\x9c Corporation") == 0, name, "company",
           facts.company);
    result(strcmp(facts.product, "Poolfleet tests") == 0, name, "product", facts.product);
    result(strcmp(facts.description, "Driver of a test") == 0, name, "description",
           facts.description);
    result(strcmp(facts.original_name, "allocate.sys") == 0, name, "name", facts.original_name);
    result(strncmp(facts.symbols, symbols, strlen(symbols)) == 0, name, "symbols", facts.symbols);
    result(strlen(facts.symbols) == (symbols[0] == '\0' ? 0 : strlen(symbols) + 33), name,
           "symbols' length", facts.symbols);
    result(pe.reproducible == repro, name, "reproducible", "");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    char pattern[512];
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/*/*-*-*.sys", argv[1]);
    if (glob(pattern, 0, NULL, &files) == 0) {
        for (size_t i = 0; i < files.gl_pathc; i++)
            check_driver(files.gl_pathv[i]);
        printf("%zu drivers: %u tags found, %u missed, %u false\n", files.gl_pathc, true_hits,
               missed, false_hits);
        result(files.gl_pathc >= 120, argv[1], "holds too few drivers", "");
        globfree(&files);
    } else {
        result(false, argv[1], "holds no drivers", "");
    }
    check_facts(argv[1], "facts-ld.sys", "", false);
    check_facts(argv[1], "facts-lld.sys", "driver with blanks.pdb/", false);
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
