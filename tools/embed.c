/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts files into the program: `embed NAME=FOLDER ...` writes C that defines, for each NAME, an
 * array of struct embedded_file sorted by path, ended by an empty one. Bytes come in through the
 * assembler's .incbin, so the page's size costs no compile time. Reproducible: no times, sorted.
 */
#define _GNU_SOURCE /* nftw */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 512

static char *paths[FILES_MAX];
static size_t path_count;

static int visit(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    if (type != FTW_F || path[walk->base] == '.')
        return 0;
    if (path_count == FILES_MAX) {
        fprintf(stderr, "embed: more than %d files\n", FILES_MAX);
        return -1;
    }
    paths[path_count++] = strdup(path);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void write_bytes(const char *list, size_t index, const char *path)
{
    printf("__asm__(\".section .rodata\\n.balign 16\\n%s_%zu: .incbin \\\"%s\\\"\\n"
           "%s_%zu_end: .byte 0\\n.previous\\n\");\n",
           list, index, path, list, index);
    printf("extern const unsigned char %s_%zu[], %s_%zu_end[];\n", list, index, list, index);
}

static int embed_folder(const char *name, const char *folder)
{
    path_count = 0;
    if (nftw(folder, visit, 16, FTW_PHYS) != 0 && path_count == FILES_MAX)
        return 1;
    qsort(paths, path_count, sizeof *paths, by_name);
    for (size_t i = 0; i < path_count; i++)
        write_bytes(name, i, paths[i]);
    printf("const struct embedded_file %s[] = {\n", name);
    for (size_t i = 0; i < path_count; i++)
        printf("    {\"%s\", %s_%zu, %s_%zu_end},\n", paths[i] + strlen(folder) + 1, name, i, name,
               i);
    printf("    {0, 0, 0},\n};\n\n");
    return 0;
}

int main(int argc, char **argv)
{
    printf("#include \"server/embedded.h\"\n\n");
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL) {
            fprintf(stderr, "usage: embed NAME=FOLDER ...\n");
            return 2;
        }
        *equals = '\0';
        if (embed_folder(argv[i], equals + 1) != 0)
            return 1;
    }
    return 0;
}
