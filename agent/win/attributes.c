/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/win/attributes.h"
#include "agent/win/hash.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#include "agent/win/system.h"

#define ATTRIBUTES_MAX 24
#define TABLE_MAX      (1u << 20) /* SMBIOS 3 allows more; no machine has it */
#define RSMB           0x52534D42u
#define RSMB_HEAD      8u /* calling method, versions, length: before the table itself */
#define VALUE_MAX      LIMIT_TEXT_BYTES
#define VERSION_KEY    L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
#define PRODUCT_KEY    L"SYSTEM\\CurrentControlSet\\Control\\ProductOptions"
#define BIOS_KEY       L"HARDWARE\\DESCRIPTION\\System\\BIOS"

struct list {
    struct arena *arena;
    struct snapshot_attribute *attributes;
    size_t count;
    bool failed;
};

static void list_add(struct list *list, const char *name, const char *value)
{
    if (value == NULL || *value == '\0' || list->count == ATTRIBUTES_MAX)
        return;
    size_t length = strlen(value);
    while (length > VALUE_MAX || (length < strlen(value) && (value[length] & 0xC0) == 0x80))
        length--; /* cut at a character's edge */
    char *copy = arena_strndup(list->arena, value, length);
    list->failed = list->failed || copy == NULL;
    list->attributes[list->count++] = (struct snapshot_attribute){name, copy};
}

static void list_add_number(struct list *list, const char *name, uint64_t value)
{
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    strbuf_u64(&text, value);
    if (value != 0)
        list_add(list, name, text.data);
}

/* A text value below HKEY_LOCAL_MACHINE, as UTF-8; NULL when there is none. Owned by caller. */
static char *registry_text(const wchar_t *path, const wchar_t *name)
{
    HKEY key AUTO_KEY = NULL;
    wchar_t value[256 + 1];
    DWORD bytes = 256 * sizeof *value, type = 0;
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_QUERY_VALUE, &key) != ERROR_SUCCESS) {
        key = NULL;
        return NULL;
    }
    if (RegQueryValueExW(key, name, NULL, &type, (BYTE *)value, &bytes) != ERROR_SUCCESS ||
        type != REG_SZ)
        return NULL;
    value[bytes / sizeof *value] = L'\0';
    return wide_to_utf8(value);
}

/* ---- system */

/* The registry's ProductName says "Windows 10" on Windows 11, and has the edition in it: names by
 * build, the newest first (Microsoft's release health pages). */
static const struct {
    unsigned build;
    const char *client, *server;
} releases[] = {
    {26101, "Windows 11", NULL}, /* a later server: the registry names it */
    {26100, "Windows 11", "Windows Server 2025"},
    {25398, "Windows 11", "Windows Server, version 23H2"},
    {22000, "Windows 11", "Windows Server 2022"},
    {20348, "Windows 10", "Windows Server 2022"},
    {18362, "Windows 10", "Windows Server, semi-annual"},
    {17763, "Windows 10", "Windows Server 2019"},
    {16299, "Windows 10", "Windows Server, semi-annual"},
    {10240, "Windows 10", "Windows Server 2016"},
    {9600, "Windows 8.1", "Windows Server 2012 R2"},
    {9200, "Windows 8", "Windows Server 2012"},
    {7600, "Windows 7", "Windows Server 2008 R2"},
    {6000, "Windows Vista", "Windows Server 2008"},
    {3790, "Windows XP x64", "Windows Server 2003"},
    {2600, "Windows XP", NULL},
};

static const char *release_name(const struct nt_version *version)
{
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++) {
        if (version->build >= releases[i].build)
            return version->server ? releases[i].server : releases[i].client;
    }
    return NULL;
}

static void add_system(struct list *list, const struct nt_calls *calls)
{
    const struct nt_version *version = &calls->version;
    char build[32];
    char *product AUTO_FREE = registry_text(VERSION_KEY, L"ProductName");
    char *edition AUTO_FREE = registry_text(VERSION_KEY, L"EditionID");
    const char *name = release_name(version);
    if (version->revision != 0)
        snprintf(build, sizeof build, "%u.%u", version->build, version->revision);
    else
        snprintf(build, sizeof build, "%u", version->build);
    list_add(list, "os.build", version->build == 0 ? NULL : build);
    list_add(list, "os.name", name != NULL || calls->simulated ? name : product);
    list_add(list, "os.edition", calls->simulated ? NULL : edition);
    list_add(list, "os.type", "windows");
    list_add(list, "os.arch", version->arm64 ? "arm64" : version->arch == NT_X64 ? "x64" : "x86");
}

static const struct {
    const char *registry, *value;
} product_types[] = {
    {"WinNT", "workstation"}, {"ServerNT", "server"}, {"LanmanNT", "domain_controller"}};

static void add_product_type(struct list *list, const struct nt_calls *calls)
{
    char *type AUTO_FREE = registry_text(PRODUCT_KEY, L"ProductType");
    if (calls->simulated || type == NULL)
        return;
    for (size_t i = 0; i < sizeof product_types / sizeof product_types[0]; i++) {
        if (strcmp(type, product_types[i].registry) == 0)
            list_add(list, "os.product_type", product_types[i].value);
    }
}

/* ---- machine */

typedef UINT(WINAPI *firmware_table_fn)(DWORD, DWORD, PVOID, DWORD);
typedef BOOL(WINAPI *installed_memory_fn)(PULONGLONG);
typedef DWORD(WINAPI *processor_count_fn)(WORD);
typedef DWORD(WINAPI *join_fn)(LPCWSTR, LPWSTR *, int *);
typedef DWORD(WINAPI *join_free_fn)(LPVOID);

#define ALL_GROUPS       0xffff
#define JOINED_TO_DOMAIN 3 /* NetSetupDomainName */

void attributes_firmware(struct smbios *ret_smbios)
{
    firmware_table_fn read =
        (firmware_table_fn)win_function(L"kernel32.dll", "GetSystemFirmwareTable");
    *ret_smbios = (struct smbios){0};
    UINT size = read == NULL ? 0 : read(RSMB, 0, NULL, 0);
    if (size <= RSMB_HEAD || size > TABLE_MAX)
        return;
    unsigned char *table AUTO_FREE = calloc(1, size);
    if (table == NULL)
        return;
    UINT got = read(RSMB, 0, table, size);
    if (got > RSMB_HEAD && got <= size)
        smbios_read(table + RSMB_HEAD, got - RSMB_HEAD, ret_smbios);
}

static void add_machine(struct list *list)
{
    struct smbios smbios;
    char *vendor AUTO_FREE = registry_text(BIOS_KEY, L"SystemManufacturer");
    char *model AUTO_FREE = registry_text(BIOS_KEY, L"SystemProductName");
    attributes_firmware(&smbios);
    list_add(list, "hw.vendor", smbios.vendor[0] != '\0' ? smbios.vendor : vendor);
    list_add(list, "hw.model", smbios.model[0] != '\0' ? smbios.model : model);
    if (smbios.bios_version[0] != '\0') {
        char bios[2 * SMBIOS_TEXT_MAX];
        snprintf(bios, sizeof bios, "%s%s%s", smbios.bios_vendor,
                 smbios.bios_vendor[0] == '\0' ? "" : " ", smbios.bios_version);
        list_add(list, "hw.bios", bios);
    }
}

/* What is built in rather than what Windows may use: 32 GB machines then look alike. */
static void add_memory(struct list *list)
{
    installed_memory_fn installed =
        (installed_memory_fn)win_function(L"kernel32.dll", "GetPhysicallyInstalledSystemMemory");
    ULONGLONG kilobytes = 0;
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    if (installed != NULL && installed(&kilobytes) && kilobytes != 0)
        list_add_number(list, "hw.ram_bytes", kilobytes * 1024);
    else if (GlobalMemoryStatusEx(&memory))
        list_add_number(list, "hw.ram_bytes", memory.ullTotalPhys);
}

static void add_processors(struct list *list)
{
    processor_count_fn count =
        (processor_count_fn)win_function(L"kernel32.dll", "GetActiveProcessorCount");
    DWORD processors = count == NULL ? 0 : count(ALL_GROUPS);
    if (processors == 0) {
        SYSTEM_INFO info;
        GetNativeSystemInfo(&info);
        processors = info.dwNumberOfProcessors;
    }
    list_add_number(list, "cpu.count", processors);
}

static void add_domain(struct list *list)
{
    join_fn join = (join_fn)win_function(L"netapi32.dll", "NetGetJoinInformation");
    join_free_fn free_join = (join_free_fn)win_function(L"netapi32.dll", "NetApiBufferFree");
    wchar_t *name = NULL;
    int state = 0;
    if (join == NULL || free_join == NULL || join(NULL, &name, &state) != 0 || name == NULL)
        return;
    char *text AUTO_FREE = wide_to_utf8(name);
    free_join(name);
    if (state == JOINED_TO_DOMAIN)
        list_add(list, "domain", text);
}

/* ---- all of it */

static int attribute_compare(const void *a, const void *b)
{
    const struct snapshot_attribute *left = a, *right = b;
    return strcmp(left->name, right->name);
}

enum status attributes_take(const struct nt_calls *calls, struct arena *arena,
                            struct snapshot_attribute **ret_attributes, size_t *ret_count,
                            struct err *err)
{
    struct list list = {.arena = arena};
    list.attributes = arena_alloc(arena, ATTRIBUTES_MAX, sizeof *list.attributes);
    if (list.attributes == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    add_system(&list, calls);
    add_product_type(&list, calls);
    add_machine(&list);
    add_memory(&list);
    add_processors(&list);
    add_domain(&list);
    list_add(&list, "agent.version", POOLFLEET_VERSION);
    list_add(&list, "poolfleet.simulated", calls->simulated || win_is_wine() ? "true" : NULL);
    if (list.failed)
        return err_set(err, ST_NOMEM, "out of memory");
    qsort(list.attributes, list.count, sizeof *list.attributes, attribute_compare);
    *ret_attributes = list.attributes;
    *ret_count = list.count;
    return ST_OK;
}

uint64_t attributes_digest(const struct snapshot_attribute *attributes, size_t count)
{
    uint64_t digest = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < count; i++) {
        const char *texts[] = {attributes[i].name, attributes[i].value};
        for (size_t t = 0; t < 2; t++) {
            for (const char *c = texts[t];; c++) {
                digest = (digest ^ (unsigned char)*c) * 0x100000001b3u;
                if (*c == '\0')
                    break;
            }
        }
    }
    return digest;
}

void win_machine_id(char ret_text[SHA256_TEXT_MAX])
{
    static const char purpose[] = "poolfleet machine id 1";
    struct smbios smbios;
    unsigned char digest[SHA256_BYTES];
    unsigned char input[sizeof purpose + sizeof smbios.uuid + SMBIOS_TEXT_MAX];
    ret_text[0] = '\0';
    attributes_firmware(&smbios);
    if (!smbios.has_uuid && smbios.board_serial[0] == '\0')
        return;
    size_t length = sizeof purpose;
    memcpy(input, purpose, sizeof purpose);
    memcpy(input + length, smbios.uuid, sizeof smbios.uuid);
    length += sizeof smbios.uuid;
    memcpy(input + length, smbios.board_serial, strlen(smbios.board_serial));
    length += strlen(smbios.board_serial);
    if (win_sha256(input, length, digest, NULL) == ST_OK)
        win_hex(digest, sizeof digest, ret_text);
}
