/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver files: found, read and scanned without disturbing the host (read-only, full sharing, low
 * I/O priority). One thread.
 */
#ifndef AGENT_WIN_DRIVERS_H
#define AGENT_WIN_DRIVERS_H

#include "agent/core/driver_cache.h"
#include "agent/nt/nt.h"
#include "agent/pe/tag_scan.h"

#define DRIVER_FILE_MAX   (64u << 20) /* the largest graphics driver known has 62 MB */
#define SERVICE_NAME_MAX  128
#define SYSTEM_FOLDER_MAX 512

/* From here to the other call this thread's I/O and CPU come last (Vista and later). */
void driver_background_begin(void);
void driver_background_end(void);

/* Folder of Windows as UTF-8: "C:\Windows". */
bool driver_system_root(char ret_folder[SYSTEM_FOLDER_MAX]);
/* Size and time of last change, without opening it. ST_NOT_FOUND, ST_FORBIDDEN, ST_IO. */
enum status driver_file_stat(const char *path, uint64_t *ret_size, int64_t *ret_changed,
                             struct err *err) MUST_CHECK;

struct driver_bytes {
    unsigned char *data; /* pages of its own: given back to the system at once */
    size_t length;
};
/* ST_TOO_LARGE beyond DRIVER_FILE_MAX. */
enum status driver_file_read(const char *path, struct driver_bytes *ret_bytes,
                             struct err *err) MUST_CHECK;
void driver_file_done(struct driver_bytes *bytes);
#define AUTO_DRIVER_BYTES CLEANUP(driver_file_done)

/* The service that loads this file: for the KMDF rule. By its name, else by ImagePath, else the
 * file's name without its ending. UTF-8. */
void driver_service_name(const char *file_name, char ret_name[SERVICE_NAME_MAX]);

#endif
