-- What is told to other systems: who wants to hear (notify_target), what there is to say
-- (notification, written with the change it tells of), and how far each telling has come
-- (notify_delivery). Nothing is only in memory, so a restart loses nothing.

CREATE TABLE notify_target (
    target_id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    kind text NOT NULL,
    address text NOT NULL,
    secret text,
    min_severity text NOT NULL DEFAULT 'info',
    kinds text[],
    attribute text,
    attribute_value text,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    CONSTRAINT notify_target_pkey PRIMARY KEY (target_id),
    CONSTRAINT notify_target_name_key UNIQUE (name),
    CONSTRAINT notify_target_kind_check CHECK (kind IN ('alertmanager', 'slack', 'teams', 'generic', 'email')),
    CONSTRAINT notify_target_severity_check CHECK (min_severity IN ('info', 'warning', 'critical')),
    CONSTRAINT notify_target_attribute_check CHECK ((attribute IS NULL) = (attribute_value IS NULL))
);
COMMENT ON TABLE notify_target IS 'Who is told of findings, and of which';
COMMENT ON COLUMN notify_target.target_id IS 'The target';
COMMENT ON COLUMN notify_target.name IS 'What people call it';
COMMENT ON COLUMN notify_target.kind IS 'alertmanager, slack, teams, generic or email';
COMMENT ON COLUMN notify_target.address IS 'URL, or mail address for email';
COMMENT ON COLUMN notify_target.secret IS 'Key of the signature (generic) or bearer token (alertmanager), as it is used; NULL: none';
COMMENT ON COLUMN notify_target.min_severity IS 'Findings below it are not told: info, warning or critical';
COMMENT ON COLUMN notify_target.kinds IS 'Kinds of findings that are told; NULL: all';
COMMENT ON COLUMN notify_target.attribute IS 'Only findings with a host whose attribute of this name ...; NULL: all';
COMMENT ON COLUMN notify_target.attribute_value IS '... has this value';
COMMENT ON COLUMN notify_target.enabled IS 'Whether anything is told; what waits meanwhile goes on waiting';
COMMENT ON COLUMN notify_target.created_at IS 'When it was made';
COMMENT ON COLUMN notify_target.updated_at IS 'Last change by a person';
COMMENT ON COLUMN notify_target.version IS 'Counts changes by people, for If-Match';

CREATE TABLE notification (
    notification_id bigint GENERATED ALWAYS AS IDENTITY,
    event text NOT NULL,
    finding_id text,
    severity text,
    severity_before text,
    at timestamptz NOT NULL,
    doc jsonb,
    CONSTRAINT notification_pkey PRIMARY KEY (notification_id),
    CONSTRAINT notification_finding_fkey FOREIGN KEY (finding_id) REFERENCES finding (finding_id) ON DELETE CASCADE,
    CONSTRAINT notification_event_check CHECK (event IN ('opened', 'reopened', 'severity', 'resolved', 'digest')),
    CONSTRAINT notification_finding_check CHECK ((event = 'digest') = (finding_id IS NULL))
);
CREATE INDEX notification_finding_idx ON notification (finding_id, notification_id);
COMMENT ON TABLE notification IS 'Something to tell, written in the transaction that changes the finding';
COMMENT ON COLUMN notification.notification_id IS 'Order of events';
COMMENT ON COLUMN notification.event IS 'opened, reopened, severity, resolved or digest';
COMMENT ON COLUMN notification.finding_id IS 'The finding; NULL: a digest';
COMMENT ON COLUMN notification.severity IS 'Severity of the finding then; NULL: a digest';
COMMENT ON COLUMN notification.severity_before IS 'Severity before, for event severity; NULL: another event';
COMMENT ON COLUMN notification.at IS 'When it happened';
COMMENT ON COLUMN notification.doc IS 'Texts of a digest: subject, text, html; NULL: made from the finding when sent';

CREATE TABLE notify_delivery (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY,
    notification_id bigint NOT NULL,
    target_id bigint NOT NULL,
    key uuid NOT NULL DEFAULT gen_random_uuid(),
    state text NOT NULL DEFAULT 'waiting',
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    claimed_until timestamptz,
    done_at timestamptz,
    last_error text,
    CONSTRAINT notify_delivery_pkey PRIMARY KEY (delivery_id),
    CONSTRAINT notify_delivery_once_key UNIQUE (notification_id, target_id),
    CONSTRAINT notify_delivery_notification_fkey FOREIGN KEY (notification_id) REFERENCES notification (notification_id) ON DELETE CASCADE,
    CONSTRAINT notify_delivery_target_fkey FOREIGN KEY (target_id) REFERENCES notify_target (target_id) ON DELETE CASCADE,
    CONSTRAINT notify_delivery_state_check CHECK (state IN ('waiting', 'sent', 'given_up'))
);
CREATE INDEX notify_delivery_waiting_idx ON notify_delivery (target_id, delivery_id) WHERE state = 'waiting';
CREATE INDEX notify_delivery_target_idx ON notify_delivery (target_id, delivery_id);
COMMENT ON TABLE notify_delivery IS 'One notification to one target; each target is told in the order of delivery_id';
COMMENT ON COLUMN notify_delivery.delivery_id IS 'Order of telling';
COMMENT ON COLUMN notify_delivery.notification_id IS 'What is told';
COMMENT ON COLUMN notify_delivery.target_id IS 'To whom';
COMMENT ON COLUMN notify_delivery.key IS 'Idempotency key: the same in every attempt';
COMMENT ON COLUMN notify_delivery.state IS 'waiting, sent or given_up';
COMMENT ON COLUMN notify_delivery.attempts IS 'Attempts begun, count';
COMMENT ON COLUMN notify_delivery.created_at IS 'When it was written';
COMMENT ON COLUMN notify_delivery.next_at IS 'Not tried before';
COMMENT ON COLUMN notify_delivery.claimed_until IS 'A server is at it until then at most; NULL: none';
COMMENT ON COLUMN notify_delivery.done_at IS 'When it was sent or given up; NULL: it waits';
COMMENT ON COLUMN notify_delivery.last_error IS 'Why the last attempt failed; NULL: none did';
