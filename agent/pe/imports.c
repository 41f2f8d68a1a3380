/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which allocators a driver imports, and the slots its code calls them through. Only functions that
 * take a pool tag are here: ObReferenceObjectWithTag and its like have tags of another kind.
 */
#include "agent/pe/scan.h"

enum {
    DIRECTORY_IMPORT = 1,
    DESCRIPTOR = 20,
    MODULES_MAX = 256,
    FUNCTIONS_MAX = 65536, /* over all modules: a file cannot make us read for ever */
    NAME_MAX_BYTES = 256,
};

/* name, tag's argument, in x86 words, x86 words popped, frees, first argument must be 0.
 * StorPortAllocatePool is an inline call of StorPortExtendedFunction(0, ...) in the vendor's
 * header, and cdecl on x86. */
static const struct scan_api APIS[] = {
    {"ExAllocatePool", SCAN_NO_TAG, SCAN_NO_TAG, 2, false, false},
    {"ExAllocatePoolWithQuota", SCAN_NO_TAG, SCAN_NO_TAG, 2, false, false},
    {"ExAllocatePoolWithTag", 2, 2, 3, false, false},
    {"ExAllocatePoolWithQuotaTag", 2, 2, 3, false, false},
    {"ExAllocatePoolWithTagPriority", 2, 2, 4, false, false},
    {"ExAllocatePool2", 2, 3, 4, false, false},
    {"ExAllocatePool3", 2, 3, 6, false, false},
    {"ExFreePoolWithTag", 1, 1, 2, true, false},
    {"ExFreePool2", 1, 1, 4, true, false},
    {"ExInitializeNPagedLookasideList", 5, 5, 7, false, false},
    {"ExInitializePagedLookasideList", 5, 5, 7, false, false},
    {"ExInitializeLookasideListEx", 6, 6, 8, false, false},
    {"FsRtlAllocatePoolWithTag", 2, 2, 3, false, false},
    {"FsRtlAllocatePoolWithQuotaTag", 2, 2, 3, false, false},
    {"FsRtlAllocateExtraCreateParameter", 4, 4, 6, false, false},
    {"FsRtlInitExtraCreateParameterLookasideList", 3, 3, 4, false, false},
    {"FltAllocatePoolAlignedWithTag", 3, 3, 4, false, false},
    {"FltFreePoolAlignedWithTag", 2, 2, 3, true, false},
    {"MmAllocateMappingAddress", 1, 1, 2, false, false},
    {"MmAllocateMappingAddressEx", 1, 1, 3, false, false},
    {"MmFreeMappingAddress", 1, 1, 2, true, false},
    {"NdisAllocateMemoryWithTag", 2, 2, 3, false, false},
    {"NdisAllocateMemoryWithTagPriority", 2, 2, 4, false, false},
    {"NdisAllocateGenericObject", 1, 1, 3, false, false},
    {"NdisFreeMemoryWithTag", 1, 1, 2, true, false},
    {"NdisFreeMemoryWithTagPriority", 2, 2, 3, true, false},
    {"NdisInitializeNPagedLookasideList", 5, 5, 7, false, false},
    {"StorPortAllocatePool", 2, 2, 4, false, false},
    {"StorPortExtendedFunction", 3, 3, 0, false, true},
    {"VideoPortAllocatePool", 3, 3, 4, false, false},
};

static const struct scan_api *find_api(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof APIS / sizeof *APIS; i++) {
        if (APIS[i].name[0] == name[0] && strlen(APIS[i].name) == length &&
            memcmp(APIS[i].name, name, length) == 0)
            return &APIS[i];
    }
    return NULL;
}

static void add_function(struct scan_imports *imports, uint32_t slot, const char *name,
                         size_t length)
{
    static const char BIND[] = "WdfVersionBind"; /* also WdfVersionBindClass */
    imports->total++;
    if (length >= sizeof BIND - 1 && memcmp(name, BIND, sizeof BIND - 1) == 0)
        imports->kmdf = true;
    const struct scan_api *api = find_api(name, length);
    if (api == NULL || imports->count == SCAN_SLOTS_MAX)
        return;
    imports->slots[imports->count].address = slot;
    imports->slots[imports->count++].api = api;
}

/* Names from the lookup table, slots in the address table; both are parallel. */
static void read_module(const struct pe *pe, uint32_t names, uint32_t slots, size_t *budget,
                        struct scan_imports *imports)
{
    uint32_t size = pe->is64 ? 8 : 4;
    for (; *budget > 0; --*budget) {
        size_t at = pe_offset(pe, names, size);
        if (at == SIZE_MAX)
            return;
        uint64_t entry = size == 8 ? read_u64(pe->data + at) : read_u32(pe->data + at);
        if (entry == 0)
            return;
        const char *name;
        size_t length = SIZE_MAX;
        if (entry < 0x7ffffffd) /* not an ordinal; two bytes of hint stand in front */
            length = pe_text(pe, (uint32_t)entry + 2, NAME_MAX_BYTES, &name);
        if (length == SIZE_MAX)
            imports->total++;
        else
            add_function(imports, slots, name, length);
        if (names > UINT32_MAX - size || slots > UINT32_MAX - size)
            return;
        names += size;
        slots += size;
    }
}

void scan_read_imports(const struct pe *pe, struct scan_imports *ret_imports)
{
    memset(ret_imports, 0, sizeof *ret_imports);
    size_t budget = FUNCTIONS_MAX;
    uint64_t address = pe->directory[DIRECTORY_IMPORT].address;
    for (int i = 0; i < MODULES_MAX && address != 0 && address <= UINT32_MAX; i++) {
        size_t at = pe_offset(pe, (uint32_t)address, DESCRIPTOR);
        if (at == SIZE_MAX)
            return;
        uint32_t names = read_u32(pe->data + at), slots = read_u32(pe->data + at + 16);
        if (slots == 0)
            return;
        read_module(pe, names == 0 ? slots : names, slots, &budget, ret_imports);
        address += DESCRIPTOR;
    }
}

const struct scan_api *scan_import_at(const struct scan_imports *imports, uint32_t address)
{
    for (size_t i = 0; i < imports->count; i++) {
        if (imports->slots[i].address == address)
            return imports->slots[i].api;
    }
    return NULL;
}
