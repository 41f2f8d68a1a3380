/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few facts we want of a Windows event rendered as XML: provider, id, place in the log, time.
 * Not an XML
 * reader: what stands in the first <System> element is searched for these, and a text that is
 * anything else is refused. Event texts come from any program of the host, so nothing is believed
 * and nothing allocates. Pure.
 */
#ifndef AGENT_CORE_EVENT_XML_H
#define AGENT_CORE_EVENT_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_PROVIDER_MAX 128

struct event_xml {
    char provider[EVENT_PROVIDER_MAX]; /* UTF-8, entities replaced */
    uint32_t id;                       /* the element's text: 2019, without its Qualifiers */
    int64_t at_us;
    uint64_t record; /* its number in the log */
};

/* False: no such event in it. */
bool event_xml_read(const char *text, size_t length, struct event_xml *ret_event);

#endif
