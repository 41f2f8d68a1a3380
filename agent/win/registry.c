/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings from agent.ini, the registry and policy, weakest first. Always the 64-bit view: that is
 * where policies are written on 64-bit Windows.
 */
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#define NAME_CHARS  128  /* our longest name has 15 */
#define VALUE_BYTES 8192 /* settings_set refuses long before */
#define VALUES_MAX  256  /* a key with more is not ours */
#define INI_MAX     65536

struct load {
    struct settings *settings;
    void (*fault)(void *arg, const struct err *err);
    void *arg;
    const char *file;
};

static void tell(const struct load *load, const struct err *err)
{
    if (load->fault != NULL)
        load->fault(load->arg, err);
}

/* REG_MULTI_SZ: "a\0b\0\0" -> "a,b". */
static void join(wchar_t *text, size_t chars)
{
    for (size_t i = 0; i + 1 < chars; i++) {
        if (text[i] == L'\0' && text[i + 1] != L'\0')
            text[i] = L',';
        else if (text[i] == L'\0')
            return;
    }
}

/* NULL: a type that is not a setting's. data ends in two NUL characters. */
static char *value_text(DWORD type, wchar_t *data, DWORD bytes)
{
    wchar_t expanded[VALUE_BYTES / sizeof(wchar_t)];
    char digits[16];
    DWORD number;
    switch (type) {
    case REG_MULTI_SZ:
        join(data, bytes / sizeof *data);
        return wide_to_utf8(data);
    case REG_SZ:
        return wide_to_utf8(data);
    case REG_EXPAND_SZ:
        number = ExpandEnvironmentStringsW(data, expanded, sizeof expanded / sizeof expanded[0]);
        return number == 0 || number > sizeof expanded / sizeof expanded[0]
                   ? NULL
                   : wide_to_utf8(expanded);
    case REG_DWORD:
        if (bytes != sizeof number)
            return NULL;
        memcpy(&number, data, sizeof number);
        snprintf(digits, sizeof digits, "%lu", number);
        return _strdup(digits);
    default:
        return NULL;
    }
}

static void load_value(const struct load *load, enum settings_layer layer, const wchar_t *name,
                       DWORD type, wchar_t *data, DWORD bytes)
{
    struct err err = {0};
    AUTO_FREE char *name8 = wide_to_utf8(name);
    AUTO_FREE char *text = value_text(type, data, bytes);
    if (name8 == NULL || *name8 == '\0') /* the key's default value says nothing */
        return;
    if (text == NULL) {
        err_set(&err, ST_INVALID, "setting %s (%s) has a registry type that is not text or number",
                name8, settings_layer_name(layer));
        tell(load, &err);
    } else if (settings_set(load->settings, layer, name8, text, &err) != ST_OK) {
        tell(load, &err);
    }
}

static void load_key(const struct load *load, enum settings_layer layer, const wchar_t *name)
{
    AUTO_KEY HKEY key = NULL;
    LONG error = RegOpenKeyExW(HKEY_LOCAL_MACHINE, name, 0, KEY_READ | KEY_WOW64_64KEY, &key);
    if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND)
        return;
    if (error != ERROR_SUCCESS) {
        struct err err;
        (void)wide_error(&err, (unsigned long)error, "read settings from the registry");
        tell(load, &err);
        return;
    }
    for (DWORD i = 0; i < VALUES_MAX; i++) {
        wchar_t value[NAME_CHARS];
        wchar_t data[VALUE_BYTES / sizeof(wchar_t) + 2];
        DWORD chars = NAME_CHARS, type = 0, bytes = VALUE_BYTES;
        error = RegEnumValueW(key, i, value, &chars, NULL, &type, (BYTE *)data, &bytes);
        if (error == ERROR_NO_MORE_ITEMS)
            return;
        if (error != ERROR_SUCCESS) { /* too long to be ours, or the key changes under us */
            struct err err;
            (void)wide_error(&err, (unsigned long)error, "read a value of the registry");
            tell(load, &err);
            if (error != ERROR_MORE_DATA)
                return;
            continue;
        }
        data[bytes / sizeof *data] = L'\0';
        data[bytes / sizeof *data + 1] = L'\0';
        load_value(load, layer, value, type, data, bytes);
    }
}

static void tell_ini(void *arg, const struct err *err)
{
    const struct load *load = arg;
    struct err named = *err;
    snprintf(named.message, sizeof named.message, "%s: %.200s", load->file, err->message);
    tell(load, &named);
}

static void load_ini(struct load *load)
{
    AUTO_FREE char *folder = win_default_data_folder();
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct err err = {0};
    if (folder == NULL)
        return;
    strbuf_printf(&path, "%s\\agent.ini", folder);
    if (strbuf_failed(&path))
        return;
    enum status st = win_read_file(path.data, INI_MAX, &text, &err);
    /* Who may not read the folder is told so where it matters. */
    if (st == ST_NOT_FOUND || st == ST_FORBIDDEN)
        return;
    if (st != ST_OK) {
        tell(load, &err);
        return;
    }
    load->file = "agent.ini";
    settings_read_ini(load->settings, text.data, text.length, tell_ini, load);
}

void win_settings_load(struct settings *settings, void (*fault)(void *arg, const struct err *err),
                       void *arg)
{
    struct load load = {settings, fault, arg, NULL};
    load_ini(&load);
    load_key(&load, LAYER_REGISTRY, WIN_REGISTRY_KEY);
    load_key(&load, LAYER_POLICY, WIN_POLICY_KEY);
}

enum status win_settings_save(const struct settings *settings, struct err *err)
{
    AUTO_KEY HKEY key = NULL;
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum setting which = (enum setting)i;
        if (settings->values[which].text == NULL || settings->values[which].layer != LAYER_FLAG)
            continue;
        LONG error = ERROR_SUCCESS;
        if (key == NULL)
            error = RegCreateKeyExW(HKEY_LOCAL_MACHINE, WIN_REGISTRY_KEY, 0, NULL, 0,
                                    KEY_WRITE | KEY_WOW64_64KEY, NULL, &key, NULL);
        AUTO_FREE wchar_t *name = wide_from_utf8(setting_name(which));
        AUTO_FREE wchar_t *value = wide_from_utf8(settings_text(settings, which));
        if (name == NULL || value == NULL)
            return err_set(err, ST_NOMEM, "could not store a setting: out of memory");
        if (error == ERROR_SUCCESS)
            error = RegSetValueExW(key, name, 0, REG_SZ, (const BYTE *)value,
                                   (DWORD)((wcslen(value) + 1) * sizeof *value));
        if (error != ERROR_SUCCESS)
            return wide_error(err, (unsigned long)error, "store settings in the registry");
    }
    return ST_OK;
}

enum status win_registry_remove(const wchar_t *key, struct err *err)
{
    /* Keys of ours have no keys below them: one that has is not what we think, and stays. */
    LONG error = RegDeleteKeyW(HKEY_LOCAL_MACHINE, key);
    if (error == ERROR_SUCCESS || error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND)
        return ST_OK;
    return wide_error(err, (unsigned long)error, "remove a registry key");
}
