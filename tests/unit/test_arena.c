/* SPDX-License-Identifier: Apache-2.0 */
#include "common/arena.h"

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

Suite *arena_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(alloc_pieces_are_zeroed_aligned_and_apart)
{
    AUTO_ARENA struct arena arena = {0};
    enum { PIECES = 3000 };
    static unsigned char *piece[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        size_t size = i % 70;
        piece[i] = arena_alloc(&arena, size, 1);
        ck_assert_ptr_nonnull(piece[i]);
        ck_assert_uint_eq((uintptr_t)piece[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < size; k++)
            ck_assert_uint_eq(piece[i][k], 0);
        memset(piece[i], (int)(i % 255 + 1), size);
    }
    for (size_t i = 0; i < PIECES; i++) { /* none was written over by another */
        for (size_t k = 0; k < i % 70; k++)
            ck_assert_uint_eq(piece[i][k], i % 255 + 1);
    }
}
END_TEST

START_TEST(alloc_size_zero_gives_unique_pointers)
{
    AUTO_ARENA struct arena arena = {0};
    void *a = arena_alloc(&arena, 0, 8);
    void *b = arena_alloc(&arena, 8, 0);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_ne(a, b);
}
END_TEST

START_TEST(alloc_larger_than_a_block_works)
{
    AUTO_ARENA struct arena arena = {0};
    char *small = arena_strdup(&arena, "before");
    for (size_t size = 1000; size < 1000000; size *= 3) {
        unsigned char *big = arena_alloc(&arena, 1, size);
        ck_assert_ptr_nonnull(big);
        ck_assert_uint_eq(big[0] | big[size / 2] | big[size - 1], 0);
        memset(big, 0xff, size);
        unsigned char *next = arena_alloc(&arena, 16, 1);
        ck_assert_ptr_nonnull(next);
        ck_assert_uint_eq(next[0] | next[15], 0);
    }
    ck_assert_str_eq(small, "before");
}
END_TEST

/* The last piece that fits a block, and the first that does not. */
START_TEST(alloc_at_block_edge_works)
{
    for (size_t size = 16 * 1024 - 64; size <= 16 * 1024 + 64; size++) {
        AUTO_ARENA struct arena arena = {0};
        char *piece = arena_alloc(&arena, size, 1);
        ck_assert_ptr_nonnull(piece);
        memset(piece, 1, size);
        char *next = arena_alloc(&arena, 1, 1);
        ck_assert_ptr_nonnull(next);
        *next = 2;
        ck_assert_int_eq(piece[size - 1], 1);
    }
}
END_TEST

START_TEST(alloc_impossible_size_gives_null)
{
    static const struct {
        size_t count;
        size_t size;
    } sizes[] = {{SIZE_MAX, 1},     {1, SIZE_MAX},         {SIZE_MAX, SIZE_MAX},
                 {SIZE_MAX / 2, 3}, {SIZE_MAX / 2 + 1, 2}, {SIZE_MAX / 2 + 1, 1}};
    AUTO_ARENA struct arena arena = {0};
    for (size_t i = 0; i < COUNT(sizes); i++)
        ck_assert_ptr_null(arena_alloc(&arena, sizes[i].count, sizes[i].size));
    ck_assert_str_eq(arena_strdup(&arena, "still usable"), "still usable");
}
END_TEST

START_TEST(strndup_copies_and_terminates)
{
    AUTO_ARENA struct arena arena = {0};
    char source[] = "abcdef";
    char *copy = arena_strndup(&arena, source, 3);
    source[0] = 'X';
    ck_assert_str_eq(copy, "abc");
    ck_assert_str_eq(arena_strndup(&arena, NULL, 0), "");
    ck_assert_mem_eq(arena_strndup(&arena, "a\0b", 3), "a\0b", 4);
    ck_assert_str_eq(arena_strdup(&arena, ""), "");
}
END_TEST

START_TEST(done_leaves_an_empty_arena)
{
    struct arena arena = {0};
    arena_done(&arena);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 1, 100));
    arena_done(&arena);
    arena_done(&arena);
    ck_assert_ptr_nonnull(arena_strdup(&arena, "again"));
    arena_done(&arena);
}
END_TEST

Suite *arena_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *tcase = tcase_create("arena");
    tcase_add_test(tcase, alloc_pieces_are_zeroed_aligned_and_apart);
    tcase_add_test(tcase, alloc_size_zero_gives_unique_pointers);
    tcase_add_test(tcase, alloc_larger_than_a_block_works);
    tcase_add_test(tcase, alloc_at_block_edge_works);
    tcase_add_test(tcase, alloc_impossible_size_gives_null);
    tcase_add_test(tcase, strndup_copies_and_terminates);
    tcase_add_test(tcase, done_leaves_an_empty_arena);
    suite_add_tcase(suite, tcase);
    return suite;
}
