/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `install` and `uninstall`. With --from-installer the MSI calls: it hands its properties over on
 * standard input, a NAME=VALUE a line, since a command line can be seen by every user.
 */
#include "agent/win/cli.h"
#include "agent/win/system.h"

#define INPUT_MAX 32768 /* the installer's pipe holds less */

enum { INSTALL_FROM_INSTALLER };
enum { UNINSTALL_REMOVE_DATA, UNINSTALL_FROM_INSTALLER };

static enum status read_input(struct strbuf *out, struct err *err)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    char part[1024];
    DWORD got = 0;
    while (ReadFile(input, part, sizeof part, &got, NULL) && got > 0) {
        strbuf_add(out, part, got);
        if (out->length > INPUT_MAX)
            return err_set(err, ST_USAGE, "the installer's settings are longer than %d bytes",
                           INPUT_MAX);
    }
    SecureZeroMemory(part, sizeof part);
    return strbuf_failed(out) ? err_set(err, ST_NOMEM, "could not read settings: out of memory")
                              : ST_OK;
}

struct properties {
    struct settings *settings;
    char *secret; /* in the input's memory */
    bool remove_data;
};

static enum status take_property(struct properties *properties, char *line, struct err *err)
{
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return err_set(err, ST_USAGE, "the installer gave a line without \"=\"");
    *equals = '\0';
    char *value = equals + 1;
    if (strcmp(line, "EnrollSecret") == 0)
        properties->secret = value;
    else if (strcmp(line, "RemoveData") == 0)
        properties->remove_data = *value != '\0' && strcmp(value, "0") != 0;
    else
        return settings_set(properties->settings, LAYER_FLAG, line, value, err);
    return ST_OK;
}

static enum status take_properties(struct properties *properties, struct strbuf *input,
                                   struct err *err)
{
    char *at = input->data;
    while (at != NULL && *at != '\0') {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end = '\0';
        size_t length = strlen(at);
        if (length > 0 && at[length - 1] == '\r')
            at[length - 1] = '\0';
        enum status st = *at == '\0' ? ST_OK : take_property(properties, at, err);
        if (st != ST_OK)
            return st;
        at = end == NULL ? NULL : end + 1;
    }
    return ST_OK;
}

static enum status store_secret(const struct settings *settings, const char *secret,
                                struct err *err)
{
    AUTO_FREE char *folder = NULL;
    struct win_files *files = NULL;
    enum status st = win_data_folder(settings, &folder, err);
    if (st == ST_OK)
        st = win_files_open(folder, false, &files, err);
    if (st == ST_OK)
        st = win_secret_store(win_files_get(files), secret, err);
    win_files_close(files);
    return st;
}

enum status cmd_install(struct cli *cli, struct err *err)
{
    bool from_installer = cli->flags[INSTALL_FROM_INSTALLER] != NULL;
    struct properties properties = {&cli->settings, NULL, false};
    struct strbuf input = STRBUF_INIT;
    enum status st = win_check_native(err);
    if (st == ST_OK && from_installer)
        st = read_input(&input, err);
    if (st == ST_OK)
        st = take_properties(&properties, &input, err);
    if (st == ST_OK)
        st = service_install(&cli->settings, from_installer, err);
    if (st == ST_OK && properties.secret != NULL)
        st = store_secret(&cli->settings, properties.secret, err);
    if (st == ST_OK)
        (void)service_wake(); /* when it runs already, it may look now */
    win_secret_wipe(&input);
    return st;
}

enum status cmd_uninstall(struct cli *cli, struct err *err)
{
    bool from_installer = cli->flags[UNINSTALL_FROM_INSTALLER] != NULL;
    struct properties properties = {&cli->settings, NULL, false};
    struct strbuf input = STRBUF_INIT;
    enum status st = from_installer ? read_input(&input, err) : ST_OK;
    if (st == ST_OK)
        st = take_properties(&properties, &input, err);
    if (st == ST_OK) {
        win_settings_load(&cli->settings, NULL, NULL); /* says where the data folder is */
        st = service_uninstall(&cli->settings,
                               properties.remove_data || cli->flags[UNINSTALL_REMOVE_DATA] != NULL,
                               from_installer, err);
    }
    win_secret_wipe(&input);
    return st;
}
