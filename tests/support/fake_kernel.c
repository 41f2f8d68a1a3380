/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_kernel.h"
#include "tests/support/nt_blobs.h"

#include <sanitizer/asan_interface.h>
#include <string.h>

static int32_t refuse(struct fake_answer *answer, uint32_t need, uint32_t length,
                      uint32_t *ret_length)
{
    switch (answer->tiny) {
    case FAKE_ELEMENT:
        *ret_length = length < answer->element ? answer->element : need;
        return NT_INFO_LENGTH_MISMATCH;
    case FAKE_ZERO:
        *ret_length = 0;
        return NT_INFO_LENGTH_MISMATCH;
    case FAKE_ABSURD:
        *ret_length = UINT32_MAX;
        return NT_INFO_LENGTH_MISMATCH;
    case FAKE_TOO_SMALL:
    case FAKE_OVERFLOW:
    case FAKE_REAL:
    case FAKE_TINY_COUNT:
        break;
    }
    *ret_length = need;
    return answer->tiny == FAKE_TOO_SMALL  ? NT_BUFFER_TOO_SMALL
           : answer->tiny == FAKE_OVERFLOW ? NT_BUFFER_OVERFLOW
                                           : NT_INFO_LENGTH_MISMATCH;
}

static int32_t give(struct fake_answer *answer, void *buffer, uint32_t length, uint32_t *ret_length)
{
    uint32_t need = (uint32_t)answer->bytes.length;
    ASAN_UNPOISON_MEMORY_REGION(buffer, length);
    answer->calls++;
    answer->last_length = length;
    if (length > answer->largest)
        answer->largest = length;
    *ret_length = 0;
    if (answer->status != 0)
        return answer->status;
    if (answer->exact != 0 && length != answer->exact)
        return refuse(answer, answer->exact, length, ret_length);
    if (answer->at_most != 0 && length > answer->at_most)
        return refuse(answer, answer->at_most, length, ret_length);
    if (answer->grows > 0) { /* other work allocates faster than we ask */
        answer->grows++;
        return refuse(answer, length + answer->grows * 64, length, ret_length);
    }
    if (length < need && (answer->shortest == 0 || length < answer->shortest)) {
        memset(buffer, 0xa5, length); /* contents after a failure are undefined */
        return refuse(answer, need, length, ret_length);
    }
    uint32_t bytes = length < need ? length : need;
    memcpy(buffer, answer->bytes.data, bytes);
    *ret_length = answer->told != 0 ? answer->told : bytes;
    if (answer->guarded) /* a read past what was written shows, though the buffer is larger */
        ASAN_POISON_MEMORY_REGION((unsigned char *)buffer + bytes, length - bytes);
    return NT_SUCCESS_STATUS;
}

static int32_t query_system(void *arg, uint32_t information_class, void *buffer, uint32_t length,
                            uint32_t *ret_length)
{
    struct fake_kernel *kernel = arg;
    *ret_length = 0;
    if (information_class >= FAKE_TYPES)
        return NT_INVALID_INFO_CLASS;
    struct fake_answer *answer = &kernel->answers[information_class];
    if (!kernel->known[information_class]) {
        answer->calls++;
        return NT_INVALID_INFO_CLASS;
    }
    return give(answer, buffer, length, ret_length);
}

static int32_t query_object_types(void *arg, void *buffer, uint32_t length, uint32_t *ret_length)
{
    struct fake_kernel *kernel = arg;
    *ret_length = 0;
    if (!kernel->known[FAKE_TYPES])
        return NT_NOT_IMPLEMENTED;
    return give(&kernel->answers[FAKE_TYPES], buffer, length, ret_length);
}

static uint64_t buffer_address(void *arg, const void *buffer)
{
    (void)arg;
    (void)buffer;
    return FAKE_BASE;
}

void fake_kernel_init(struct fake_kernel *kernel, enum nt_arch arch, unsigned major, unsigned minor,
                      unsigned build)
{
    memset(kernel, 0, sizeof *kernel);
    kernel->calls = (struct nt_calls){.arg = kernel,
                                      .simulated = true,
                                      .query_system = query_system,
                                      .query_object_types = query_object_types,
                                      .buffer_address = buffer_address};
    kernel->calls.version.arch = arch;
    kernel->calls.version.major = major;
    kernel->calls.version.minor = minor;
    kernel->calls.version.build = build;
}

void fake_kernel_done(struct fake_kernel *kernel)
{
    for (size_t i = 0; i < FAKE_CLASSES; i++)
        strbuf_done(&kernel->answers[i].bytes);
}

struct strbuf *fake_kernel_answer(struct fake_kernel *kernel, uint32_t information_class)
{
    struct fake_answer *answer = &kernel->answers[information_class];
    strbuf_done(&answer->bytes);
    memset(answer, 0, sizeof *answer);
    answer->element = 0x30;
    /* Fixed classes are read into the stack; object types beyond the told length on purpose. */
    answer->guarded = information_class > 3 && information_class != FAKE_TYPES;
    kernel->known[information_class] = true;
    return &answer->bytes;
}

/* ---- a whole host ----------------------------------------------------------- */

static void fill_tags(struct fake_kernel *kernel, size_t rows)
{
    AUTO_FREE struct blob_tag *tags = calloc(rows + 1, sizeof *tags);
    for (size_t i = 0; i < rows && tags != NULL; i++) {
        struct blob_tag *t = &tags[i];
        size_t n = i * 7919 % rows; /* not in order, as the kernel's hash table is not */
        t->tag = 0x20202020u + (uint32_t)(n % 94 + 1) + (uint32_t)(n / 94 % 94 << 8) +
                 (uint32_t)(n / 8836 << 16);
        unsigned pool = n % 3 == 0; /* a tenth has both */
        for (unsigned p = 0; p < 2; p++) {
            if (p != pool && n % 10 != 0)
                continue;
            t->allocs[p] = 1000 + n * 3;
            t->frees[p] = n * 3 - n % 7;
            t->used[p] = (1000 + n % 7) * 64;
        }
    }
    if (tags != NULL)
        blob_tags(fake_kernel_answer(kernel, 22), kernel->calls.version.arch, tags, rows);
}

void fake_kernel_fill(struct fake_kernel *kernel, size_t rows)
{
    static const struct blob_process processes[] = {{0, NULL, 0, 8},
                                                    {4, "System", 5120, 180},
                                                    {880, "svchost.exe", 910, 14},
                                                    {4820, "TestApp.exe", 190788, 9},
                                                    {77, NULL, 12, 1}};
    static const struct blob_type types[] = {
        {"Type", 69, 0, 2}, {"Directory", 60, 170, 3}, {"Thread", 1907864, 1907884, 8}};
    static const struct blob_module modules[] = {
        {"\\SystemRoot\\system32\\ntoskrnl.exe", 0x1047000, 0x98f9eee3, 0xb5c1d2},
        {"\\SystemRoot\\System32\\drivers\\ntfs.sys", 0x2f8000, 0x5ad0ee12, 0x2fd00b},
        {"\\??\\C:\\Program Files\\Vendor\\leaky.sys", 0x9000, 0x67a1b2c3, 0x12345}};
    static const struct blob_big blocks[] = {
        {0x6b61654c, 4096}, {0x6b61654c, 4096}, {0x6b61654c, 65536}, {0x4366744e, 8192}};
    static const struct blob_handle handles[] = {{4, 8}, {4, 3}, {4820, 8}, {4820, 8}};
    static const struct blob_performance figures = {500000, 900000, 4000000, 130000, 90000};
    enum nt_arch arch = kernel->calls.version.arch;
    fill_tags(kernel, rows);
    blob_basic(fake_kernel_answer(kernel, 0), arch, 4096, 2097152);
    kernel->answers[0].exact = arch == NT_X64 ? 0x40 : 0x2c;
    blob_performance(fake_kernel_answer(kernel, 2), &figures, 0x178);
    kernel->answers[2].shortest = 0x138;
    blob_time(fake_kernel_answer(kernel, 3), 134000000000000000ll, 134000864000000000ll, 0);
    kernel->answers[3].at_most = 0x30;
    blob_processes(fake_kernel_answer(kernel, 5), arch, FAKE_BASE, processes, 5);
    blob_types(fake_kernel_answer(kernel, FAKE_TYPES), arch, FAKE_BASE, types, 3);
    blob_modules(fake_kernel_answer(kernel, 11), arch, modules, 3);
    blob_modules_ex(fake_kernel_answer(kernel, 77), arch, modules, 3);
    blob_handles(fake_kernel_answer(kernel, 64), arch, handles, 4);
    blob_big(fake_kernel_answer(kernel, 66), arch, blocks, 4);
}
