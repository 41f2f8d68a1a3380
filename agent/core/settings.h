/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's settings: one table, one row each (settings.c). Values come in layers: policy over
 * registry over INI file over built-in; the winning layer is remembered for `status`. Names are
 * those of the registry values, compared without case. A bad value is reported with its layer and
 * the next layer down is used: a typo in a policy must not stop a fleet.
 */
#ifndef AGENT_CORE_SETTINGS_H
#define AGENT_CORE_SETTINGS_H

#include "common/status.h"
#include "common/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

enum settings_layer {
    LAYER_BUILTIN,
    LAYER_FILE,     /* agent.ini */
    LAYER_REGISTRY, /* HKLM\SOFTWARE\Poolfleet\Agent */
    LAYER_POLICY,   /* HKLM\SOFTWARE\Policies\Poolfleet\Agent */
    LAYER_FLAG,     /* command line of `run`, `snapshot` and `enroll` */
    LAYER_COUNT
};
const char *settings_layer_name(enum settings_layer layer); /* "policy", ... */

enum setting {
    SETTING_SERVER_URL,      /* ServerUrl: "https://pool.example.com", no path; "" not set. http
                              * only to this machine itself: a token must not travel in clear */
    SETTING_ENROLL_FILE,     /* EnrollFile: file with an enroll secret, removed after use */
    SETTING_PROXY,           /* Proxy: "" automatic, "none", or "http://host:port" */
    SETTING_CA_FILE,         /* CaFile: PEM; only these authorities are trusted */
    SETTING_PIN,             /* Pin: "sha256/<base64>" of the server key (SPKI), several by ',' */
    SETTING_TAGS,            /* Tags: "role=file-server,site=berlin" -> host attributes */
    SETTING_INTERVAL,        /* IntervalSeconds: 10..86400; 0: the server decides (300) */
    SETTING_TOP_PROCESSES,   /* TopProcesses: 0..4096; 20 */
    SETTING_SPOOL_MEGABYTES, /* SpoolMegabytes: 1..1024; 64 */
    SETTING_SPOOL_DAYS,      /* SpoolDays: 1..90; 14 */
    SETTING_SCAN_DRIVERS,    /* ScanDrivers: 1; 0: never reads driver files for tags */
    SETTING_SESSION_POOL,    /* SessionPool: 0; 1: also asks for session pool */
    SETTING_LOG_LEVEL,       /* LogLevel: error, warning, info, debug */
    SETTING_DATA_FOLDER,     /* DataFolder: %ProgramData%\Poolfleet\Agent */
    SETTING_REPLAY,          /* Replay: folder of recorded kernel answers; "" live. Simulated! */
    SETTING_COUNT
};

struct settings {
    struct {
        char *text; /* owned; NULL: built-in */
        enum settings_layer layer;
    } values[SETTING_COUNT];
};

void settings_init(struct settings *settings);
void settings_done(struct settings *settings);
/* Sets one value if `layer` is at least as strong as what is there. ST_NOT_FOUND: no setting of
 * that name; ST_INVALID: bad value, with its name, layer and what would be right; nothing changed.
 */
enum status settings_set(struct settings *settings, enum settings_layer layer, const char *name,
                         const char *value, struct err *err) MUST_CHECK;
/* Reads "name = value" lines, ';' and '#' comments, one optional [agent] section. Every fault is
 * told through `fault` (line number in the message) and the rest is still read. */
void settings_read_ini(struct settings *settings, const char *text, size_t length,
                       void (*fault)(void *arg, const struct err *err), void *arg);

const char *settings_text(const struct settings *settings, enum setting which); /* never NULL */
int64_t settings_number(const struct settings *settings, enum setting which);
const char *setting_name(enum setting which);
const char *setting_help(enum setting which); /* one line */
/* "ServerUrl  https://...  (policy)" lines, in the order of the table. */
void settings_print(const struct settings *settings, struct strbuf *out);

/* One "name=value" of a Tags value. Borrowed from it; not ended by NUL. */
struct settings_tag {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
};
/* Takes the next one from *text, which starts as a value of SETTING_TAGS; false: no more, or not
 * of that form (which settings_set does not let in). */
bool settings_next_tag(const char **text, struct settings_tag *ret_tag);

#endif
