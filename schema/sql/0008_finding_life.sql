-- The life of a finding: mutes as objects of their own, which hosts it ever touched (for "is the fix
-- working" and for stable pseudonyms in reports), and that it came back.

CREATE TABLE mute (
    mute_id bigint GENERATED ALWAYS AS IDENTITY,
    finding_id text,
    tags text[] NOT NULL DEFAULT '{}',
    hosts text[] NOT NULL DEFAULT '{}',
    driver text,
    driver_version text,
    until timestamptz,
    reason text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text,
    version bigint NOT NULL DEFAULT 1,
    CONSTRAINT mute_pkey PRIMARY KEY (mute_id),
    CONSTRAINT mute_finding_fkey FOREIGN KEY (finding_id) REFERENCES finding (finding_id) ON DELETE CASCADE,
    CONSTRAINT mute_scope_check CHECK (finding_id IS NOT NULL OR tags <> '{}' OR hosts <> '{}' OR driver IS NOT NULL),
    CONSTRAINT mute_version_check CHECK (driver_version IS NULL OR driver IS NOT NULL),
    CONSTRAINT mute_ended_check CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX mute_standing_idx ON mute (mute_id) WHERE ended_at IS NULL;
CREATE INDEX mute_finding_idx ON mute (finding_id) WHERE finding_id IS NOT NULL;
COMMENT ON TABLE mute IS 'What is not to be told: every given condition must hold; ended ones are kept';
COMMENT ON COLUMN mute.mute_id IS 'The mute';
COMMENT ON COLUMN mute.finding_id IS 'Only this finding; NULL: any';
COMMENT ON COLUMN mute.tags IS 'Only these tags, text form; empty: any';
COMMENT ON COLUMN mute.hosts IS 'Only these hosts, by their id; empty: any';
COMMENT ON COLUMN mute.driver IS 'Only findings of this driver: it owns the tag, or explains them best; NULL: any';
COMMENT ON COLUMN mute.driver_version IS 'Only hosts that have this version of the driver loaded; NULL: any';
COMMENT ON COLUMN mute.until IS 'Its end; NULL: until somebody ends it';
COMMENT ON COLUMN mute.reason IS 'Why, in a person''s words';
COMMENT ON COLUMN mute.created_by IS 'Who made it';
COMMENT ON COLUMN mute.created_at IS 'When it was made';
COMMENT ON COLUMN mute.ended_at IS 'When it ended; NULL: it stands';
COMMENT ON COLUMN mute.ended_by IS 'Who ended it, "its time" for until; NULL: it stands';
COMMENT ON COLUMN mute.version IS 'Counts changes by people, for If-Match';

ALTER TABLE finding
    ADD COLUMN muted_by bigint,
    ADD COLUMN born_muted boolean NOT NULL DEFAULT false,
    ADD COLUMN reopened_at timestamptz,
    ADD COLUMN reopened_count integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN finding.muted_by IS 'The mute that ends first of those that hold it muted; NULL: not muted';
COMMENT ON COLUMN finding.born_muted IS 'Muted since it appeared, so nobody was told of it yet';
COMMENT ON COLUMN finding.reopened_at IS 'When it last came back after it was resolved; NULL: never';
COMMENT ON COLUMN finding.reopened_count IS 'How often it came back, count';
ALTER TABLE finding_host ADD COLUMN muted_by bigint;
COMMENT ON COLUMN finding_host.muted_by IS 'A mute that covers all of the finding''s tags on this host; NULL: none';
CREATE INDEX finding_host_muted_idx ON finding_host (muted_by) WHERE muted_by IS NOT NULL;

INSERT INTO mute (finding_id, until, reason, created_by, created_at)
SELECT f.finding_id, f.muted_until, coalesce(f.note, ''),
       coalesce((SELECT actor FROM finding_change c WHERE c.finding_id = f.finding_id
                 AND change = 'muted' ORDER BY change_id DESC LIMIT 1), 'unknown'), f.updated_at
FROM finding f WHERE f.status = 'muted';
UPDATE finding f SET muted_by = m.mute_id FROM mute m WHERE m.finding_id = f.finding_id;
UPDATE finding_host h SET muted_by = m.mute_id FROM mute m WHERE m.finding_id = h.finding_id;

CREATE TABLE finding_host_ever (
    finding_id text NOT NULL,
    host_id bigint NOT NULL,
    number integer NOT NULL,
    first_at timestamptz NOT NULL,
    since timestamptz,
    CONSTRAINT finding_host_ever_pkey PRIMARY KEY (finding_id, host_id),
    CONSTRAINT finding_host_ever_finding_fkey FOREIGN KEY (finding_id) REFERENCES finding (finding_id) ON DELETE CASCADE,
    CONSTRAINT finding_host_ever_host_fkey FOREIGN KEY (host_id) REFERENCES host (host_id) ON DELETE CASCADE
);
CREATE INDEX finding_host_ever_host_idx ON finding_host_ever (host_id);
COMMENT ON TABLE finding_host_ever IS 'Every host a finding was ever seen on, also when it is well again';
COMMENT ON COLUMN finding_host_ever.finding_id IS 'The finding';
COMMENT ON COLUMN finding_host_ever.host_id IS 'The host';
COMMENT ON COLUMN finding_host_ever.number IS 'Its pseudonym in reports of this finding, from 1; never given anew';
COMMENT ON COLUMN finding_host_ever.first_at IS 'Pass that first saw it there, event time';
COMMENT ON COLUMN finding_host_ever.since IS 'When its growth or level began then; NULL: unknown';
INSERT INTO finding_host_ever (finding_id, host_id, number, first_at, since)
SELECT h.finding_id, h.host_id, row_number() OVER (PARTITION BY h.finding_id ORDER BY h.position),
       f.opened_at, h.since
FROM finding_host h JOIN finding f USING (finding_id);
