/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the server says this host is. Enrolment needs the enroll secret; it is asked for when there
 * is no identity, and again when the server does not know the token any more (its database was
 * replaced). What waits in the spool does not name the host, so it survives either.
 */
#include "agent/core/agent_inside.h"
#include "agent/core/settings.h"
#include "common/cbor.h"

static bool has_secret(const struct agent *agent)
{
    return agent->options.enroll_secret != NULL && agent->options.enroll_secret[0] != '\0';
}

bool enroll_due(const struct agent *agent)
{
    if (agent_enrolled(agent))
        return agent->enroll_again && has_secret(agent);
    /* The first sample tells the boot by which the server tells clones; a source that tells nothing
     * must not keep a host from showing up. */
    return agent->sample_tried;
}

void enroll_forget(struct agent *agent, const char *why)
{
    struct err err = {0};
    report(agent, AGENT_EVENT_CLONED, "identity \"%s\" is given up, since %s; enrolling anew",
           agent->identity.host_id, why);
    memset(&agent->identity, 0, sizeof agent->identity);
    agent->enroll_again = false;
    changes_forget(&agent->base);
    agent->wishes.full = true;
    agent->wishes.drivers = true;
    if (identity_remove(agent->parts.files, &err) != ST_OK)
        report_disk(agent, err.message);
}

/* ---- the request */

static void put_attributes(const char *tags, struct strbuf *out)
{
    struct settings_tag tag;
    size_t count = 0;
    for (const char *at = tags; settings_next_tag(&at, &tag);)
        count++;
    cbor_put_map(out, count);
    while (settings_next_tag(&tags, &tag)) {
        cbor_put_text_n(out, tag.name, tag.name_length);
        cbor_put_text_n(out, tag.value, tag.value_length);
    }
}

static int64_t boot_at(const struct agent *agent, int64_t now_us)
{
    if (agent->state.boot.sent_us != TIME_UNKNOWN)
        return agent->state.boot.sent_us;
    int64_t boot_us = clock_wall_us() - now_us; /* the monotonic clock runs since boot */
    return boot_us > 0 ? boot_us / US_PER_SECOND * US_PER_SECOND : 0;
}

static void make_body(const struct agent *agent, int64_t now_us, struct strbuf *out)
{
    const struct agent_options *options = &agent->options;
    const char *tags = options->tags != NULL ? options->tags : "";
    struct settings_tag tag;
    const char *probe = tags;
    bool attributes = settings_next_tag(&probe, &tag);
    bool previous = agent_enrolled(agent);
    char boot[TIME_TEXT_MAX];
    time_format(boot_at(agent, now_us), boot);
    cbor_put_map(out, 4 + (previous ? 2 : 0));
    cbor_put_text(out, "host");
    cbor_put_map(out, attributes ? 2 : 1);
    cbor_put_text(out, "name");
    cbor_put_text(out, options->host_name != NULL ? options->host_name : "");
    if (attributes) {
        cbor_put_text(out, "attributes");
        put_attributes(tags, out);
    }
    cbor_put_text(out, "machine_id");
    cbor_put_text(out, options->machine_id != NULL ? options->machine_id : "");
    cbor_put_text(out, "boot_at");
    cbor_put_text(out, boot);
    cbor_put_text(out, "agent");
    cbor_put_map(out, 1);
    cbor_put_text(out, "version");
    cbor_put_text(out, options->version != NULL ? options->version : "");
    if (previous) {
        cbor_put_text(out, "previous_host_id");
        cbor_put_text(out, agent->identity.host_id);
        cbor_put_text(out, "previous_token");
        cbor_put_text(out, agent->identity.token);
    }
}

/* ---- the answer */

static void enrolled(struct agent *agent, const struct reply_enroll *reply, int64_t now_us)
{
    struct err err = {0};
    struct identity identity = {0};
    snprintf(identity.host_id, sizeof identity.host_id, "%s", reply->host_id);
    snprintf(identity.token, sizeof identity.token, "%s", reply->token);
    snprintf(identity.machine_id, sizeof identity.machine_id, "%s",
             agent->options.machine_id != NULL ? agent->options.machine_id : "");
    agent->identity = identity;
    agent->enroll_again = false;
    agent->refused_code = 0;
    changes_forget(&agent->base);
    agent->wishes.full = true;
    agent->wishes.drivers = true;
    if (identity_save(agent->parts.files, agent->parts.vault, &identity, &err) != ST_OK)
        report_disk(agent, err.message);
    memset(&identity, 0, sizeof identity);
    agent_take_config(agent, &reply->config, now_us);
    agent_schedule(agent, now_us);
    report(agent, AGENT_EVENT_ENROLLED, "enrolled as \"%s\"", agent->identity.host_id);
    report_back(agent);
    agent->next_send_us = now_us;
}

static void not_enrolled(struct agent *agent, int code, const char *text, int64_t retry_after_us,
                         int64_t now_us)
{
    bool refused = code >= 400 && code <= 499 && !transport_code_retryable(code);
    if (refused && agent->refused_code != code) {
        agent->refused_code = code;
        report(agent, AGENT_EVENT_ENROLL_REFUSED, "%s", text);
    }
    /* With an identity the token is tried again next: the server may have got it back. */
    agent->enroll_again = false;
    report_away(agent, code, text, retry_after_us, now_us);
}

static void answered(struct agent *agent, const struct transport_reply *answer, int64_t now_us)
{
    struct reply_enroll reply = {0};
    struct reply_problem problem = {0};
    struct err err = {0};
    char text[256];
    if (answer->code >= 200 && answer->code <= 299) {
        enum status st = reply_enroll_read(answer->body.data, answer->body.length, &reply, &err);
        if (st == ST_OK) {
            enrolled(agent, &reply, now_us);
        } else {
            snprintf(text, sizeof text, "could not understand the server's answer: %.180s",
                     err.message);
            not_enrolled(agent, -(int)st, text, BACKOFF_NO_RETRY_AFTER, now_us);
        }
        memset(&reply, 0, sizeof reply);
        return;
    }
    reply_problem_read(answer->body.data, answer->body.length, &problem);
    snprintf(text, sizeof text, "could not enrol: the server answered %d%s%.170s", answer->code,
             problem.detail[0] != '\0' ? ": " : "", problem.detail);
    not_enrolled(agent, answer->code, text, answer->retry_after_us, now_us);
}

void enroll_step(struct agent *agent, int64_t now_us)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct transport_reply answer = {.retry_after_us = BACKOFF_NO_RETRY_AFTER};
    struct err err = {0};
    if (!has_secret(agent)) {
        if (agent->refused_code != -1)
            report(agent, AGENT_EVENT_ENROLL_REFUSED,
                   "this host is not enrolled and there is no enroll secret");
        agent->refused_code = -1;
        agent->next_send_us = now_us + BACKOFF_RETRY_AFTER_MAX_US;
        return;
    }
    make_body(agent, now_us, &body);
    struct transport_request request = {
        .path = "/api/v1/agent/enroll",
        .content_type = "application/cbor",
        .accept = "application/cbor",
        .bearer = agent->options.enroll_secret,
        .data = body.data,
        .length = body.length,
    };
    enum status st = ST_NOMEM;
    if (!strbuf_failed(&body))
        st = agent->parts.transport->post(agent->parts.transport->arg, &request, &answer, &err);
    else
        err_set(&err, st, "could not enrol: out of memory");
    now_us = clock_mono_us();
    if (st == ST_OK)
        answered(agent, &answer, now_us);
    else
        not_enrolled(agent, -(int)st, err.message, BACKOFF_NO_RETRY_AFTER, now_us);
    if (body.data != NULL)
        memset(body.data, 0, body.length);
    strbuf_done(&answer.body);
}
