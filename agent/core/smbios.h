/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few facts we want of the firmware's SMBIOS table: maker and model, BIOS, and the two numbers
 * that tell one machine from its clone. Firmware writes what it likes: every length is checked, and
 * the placeholders that vendors leave in ("To be filled by O.E.M.", UUIDs of one repeated byte)
 * count as unknown. Pure.
 */
#ifndef AGENT_CORE_SMBIOS_H
#define AGENT_CORE_SMBIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMBIOS_TEXT_MAX 129

struct smbios { /* printable ASCII; "" unknown */
    char bios_vendor[SMBIOS_TEXT_MAX];
    char bios_version[SMBIOS_TEXT_MAX];
    char vendor[SMBIOS_TEXT_MAX];
    char model[SMBIOS_TEXT_MAX];
    char board_serial[SMBIOS_TEXT_MAX];
    bool has_uuid;
    unsigned char uuid[16];
};

/* table: the structures themselves (without the 8 bytes Windows puts before them). Whatever can be
 * read; the rest is unknown. */
void smbios_read(const void *table, size_t length, struct smbios *ret_smbios);

#endif
