/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sim/scenario.h"
#include "common/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

/* Chosen: the largest scenario here has 4 KB; more than this is not one. */
#define SCENARIO_FILE_MAX ((size_t)1 << 20)
#define DURATION_MAX_US   (3660ll * US_PER_DAY)

bool duration_parse(const char *text, int64_t *ret_us)
{
    static const struct {
        char letter;
        int64_t us;
    } units[] = {{'s', US_PER_SECOND}, {'m', US_PER_MINUTE}, {'h', US_PER_HOUR}, {'d', US_PER_DAY}};
    int64_t sum = 0;
    if (text[0] == '0' && text[1] == '\0') {
        *ret_us = 0;
        return true;
    }
    if (*text == '\0')
        return false;
    while (*text != '\0') {
        int64_t number = 0;
        if (*text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9'; text++) {
            number = number * 10 + (*text - '0');
            if (number > DURATION_MAX_US)
                return false;
        }
        size_t unit = 0;
        while (unit < sizeof units / sizeof units[0] && units[unit].letter != *text)
            unit++;
        if (unit == sizeof units / sizeof units[0] || number > DURATION_MAX_US / units[unit].us)
            return false;
        sum += number * units[unit].us;
        text++;
    }
    if (sum > DURATION_MAX_US)
        return false;
    *ret_us = sum;
    return true;
}

enum status scenario_read_file(const char *path, struct scenario *ret_scenario, struct err *err)
{
    AUTO_FILE FILE *file = fopen(path, "rb");
    if (file == NULL)
        return err_set(err, ST_USAGE, "could not open scenario \"%s\": %s", path, strerror(errno));
    AUTO_FREE char *text = malloc(SCENARIO_FILE_MAX + 1);
    if (text == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    size_t length = fread(text, 1, SCENARIO_FILE_MAX + 1, file);
    if (ferror(file))
        return err_set(err, ST_USAGE, "could not read scenario \"%s\": %s", path, strerror(errno));
    if (length > SCENARIO_FILE_MAX)
        return err_set(err, ST_USAGE, "could not read scenario \"%s\": larger than %zu bytes", path,
                       SCENARIO_FILE_MAX);
    struct err inner = {0};
    enum status st = scenario_parse(text, length, ret_scenario, &inner);
    if (st == ST_OK)
        return ST_OK;
    return err_field(err, st == ST_NOMEM ? ST_NOMEM : ST_USAGE, inner.field,
                     "could not read scenario \"%s\": %s%s%s", path, inner.field,
                     inner.field[0] != '\0' ? ": " : "", inner.message);
}

static enum status add_file(struct scenario_list *list, const char *path, struct err *err)
{
    struct scenario *items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    list->items = items;
    struct scenario *added = &items[list->count];
    enum status st = scenario_read_file(path, added, err);
    if (st != ST_OK)
        return st;
    list->count++;
    for (size_t i = 0; i + 1 < list->count; i++) {
        if (strcmp(items[i].name, added->name) == 0)
            return err_set(err, ST_USAGE, "scenario \"%s\" is given twice (\"%s\")", added->name,
                           path);
    }
    return ST_OK;
}

static int only_json(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

/* alphasort follows the locale; the fleet must not. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

enum status scenario_list_add(struct scenario_list *list, const char *path, struct err *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return err_set(err, ST_USAGE, "could not open scenario \"%s\": %s", path, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return add_file(list, path, err);
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, only_json, by_name);
    if (count < 0)
        return err_set(err, ST_USAGE, "could not read folder \"%s\": %s", path, strerror(errno));
    enum status st = ST_OK;
    for (int i = 0; i < count; i++) {
        if (st == ST_OK) {
            AUTO_FREE char *file = NULL;
            if (asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0) {
                file = NULL;
                st = err_set(err, ST_NOMEM, "out of memory");
            } else {
                st = add_file(list, file, err);
            }
        }
        free(entries[i]);
    }
    free(entries);
    if (st == ST_OK && count == 0)
        st = err_set(err, ST_USAGE, "could not find a scenario in folder \"%s\"", path);
    return st;
}

void scenario_list_done(struct scenario_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        scenario_done(&list->items[i]);
    free(list->items);
    *list = (struct scenario_list){0};
}
