-- The first schema. Units: *_at is a moment (UTC), *_bytes bytes, other numbers are counts.
-- Every hot table is partitioned by time (retention drops partitions) and keyed by host first.

CREATE TABLE host (
    host_id bigint GENERATED ALWAYS AS IDENTITY,
    id text NOT NULL,
    name text,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    boot_at timestamptz,
    sequence bigint,
    sequence_max bigint,
    keyframe_at timestamptz,
    chain integer,
    attributes_at timestamptz,
    attributes_digest bytea,
    drivers_at timestamptz,
    drivers_digest bytea,
    CONSTRAINT host_pkey PRIMARY KEY (host_id),
    CONSTRAINT host_id_key UNIQUE (id),
    CONSTRAINT host_id_check CHECK (octet_length(id) BETWEEN 1 AND 64),
    CONSTRAINT host_seen_check CHECK (first_seen_at <= last_seen_at)
) WITH (fillfactor = 70); -- every commit updates rows here; room keeps the updates in their page
COMMENT ON TABLE host IS 'One row per host. boot_at, sequence, keyframe_at and chain describe the newest snapshot by taken_at; the row is locked while snapshots of its host are written, which makes keys unique across servers';
COMMENT ON COLUMN host.host_id IS 'Key in this database';
COMMENT ON COLUMN host.id IS 'The agent''s own identity, 1 to 64 bytes of [A-Za-z0-9._:@-]';
COMMENT ON COLUMN host.name IS 'Name as last reported; not unique; NULL: never reported';
COMMENT ON COLUMN host.first_seen_at IS 'Oldest taken_at of any snapshot ever accepted';
COMMENT ON COLUMN host.last_seen_at IS 'Newest taken_at of any snapshot ever accepted';
COMMENT ON COLUMN host.received_at IS 'When the server took its newest snapshot';
COMMENT ON COLUMN host.boot_at IS 'Boot of the newest snapshot; NULL: unknown';
COMMENT ON COLUMN host.sequence IS 'Sequence of the newest snapshot within its boot; NULL: unknown';
COMMENT ON COLUMN host.sequence_max IS 'Largest sequence held of that boot; NULL: none';
COMMENT ON COLUMN host.keyframe_at IS 'taken_at of the complete block that the newest snapshot rests on';
COMMENT ON COLUMN host.chain IS 'How many steps the newest snapshot is away from that complete block';
COMMENT ON COLUMN host.attributes_at IS 'taken_at of the newest document that carried attributes';
COMMENT ON COLUMN host.attributes_digest IS 'Digest of those attributes, to skip what is unchanged';
COMMENT ON COLUMN host.drivers_at IS 'taken_at of the newest document that carried drivers';
COMMENT ON COLUMN host.drivers_digest IS 'Digest of those drivers, to skip what is unchanged';

CREATE TABLE host_attribute (
    host_id bigint NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    CONSTRAINT host_attribute_pkey PRIMARY KEY (host_id, name, valid_from),
    CONSTRAINT host_attribute_host_fkey FOREIGN KEY (host_id) REFERENCES host (host_id) ON DELETE CASCADE,
    CONSTRAINT host_attribute_valid_check CHECK (valid_from < valid_to)
);
CREATE INDEX host_attribute_current_idx ON host_attribute (host_id) WHERE valid_to IS NULL;
CREATE INDEX host_attribute_value_idx ON host_attribute (name, value) WHERE valid_to IS NULL;
COMMENT ON TABLE host_attribute IS 'History of host attributes by taken_at; at most one row per name is valid at any moment';
COMMENT ON COLUMN host_attribute.host_id IS 'The host';
COMMENT ON COLUMN host_attribute.name IS 'Attribute name, OpenTelemetry where it has one: os.build, hw.ram_bytes, role';
COMMENT ON COLUMN host_attribute.value IS 'Its value as text';
COMMENT ON COLUMN host_attribute.valid_from IS 'taken_at of the first document that said so';
COMMENT ON COLUMN host_attribute.valid_to IS 'taken_at of the document that said otherwise; NULL: still valid';

CREATE TABLE host_driver (
    host_id bigint NOT NULL,
    name text NOT NULL,
    version text,
    company text,
    tags text[] NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    CONSTRAINT host_driver_pkey PRIMARY KEY (host_id, name, valid_from),
    CONSTRAINT host_driver_host_fkey FOREIGN KEY (host_id) REFERENCES host (host_id) ON DELETE CASCADE,
    CONSTRAINT host_driver_valid_check CHECK (valid_from < valid_to)
);
CREATE INDEX host_driver_current_idx ON host_driver (host_id) WHERE valid_to IS NULL;
CREATE INDEX host_driver_name_idx ON host_driver (name, version);
COMMENT ON TABLE host_driver IS 'History of loaded drivers by taken_at; at most one row per name is valid at any moment';
COMMENT ON COLUMN host_driver.host_id IS 'The host';
COMMENT ON COLUMN host_driver.name IS 'File name of the driver: ntfs.sys';
COMMENT ON COLUMN host_driver.version IS 'File version; NULL: unknown';
COMMENT ON COLUMN host_driver.company IS 'Company of the version resource; NULL: unknown';
COMMENT ON COLUMN host_driver.tags IS 'Pool tags found in the file, in text form';
COMMENT ON COLUMN host_driver.valid_from IS 'taken_at of the first document that listed it so';
COMMENT ON COLUMN host_driver.valid_to IS 'taken_at of the document that said otherwise; NULL: still valid';

-- NULLS NOT DISTINCT: documents without boot or sequence are told apart by taken_at alone.
CREATE TABLE snapshot (
    host_id bigint NOT NULL,
    taken_at timestamptz NOT NULL,
    boot_at timestamptz,
    sequence bigint,
    base bigint,
    keyframe boolean NOT NULL,
    keyframe_at timestamptz NOT NULL,
    chain integer NOT NULL,
    received_at timestamptz NOT NULL,
    row_count integer NOT NULL,
    nonpaged_bytes bigint,
    paged_bytes bigint,
    nonpaged_limit_bytes bigint,
    paged_limit_bytes bigint,
    commit_bytes bigint,
    commit_limit_bytes bigint,
    physical_bytes bigint,
    available_bytes bigint,
    handles bigint,
    processes bigint,
    threads bigint,
    alloc_failures bigint,
    detail jsonb,
    block bytea NOT NULL,
    CONSTRAINT snapshot_key UNIQUE NULLS NOT DISTINCT (host_id, boot_at, sequence, taken_at),
    CONSTRAINT snapshot_keyframe_check CHECK (keyframe = (chain = 0)),
    CONSTRAINT snapshot_base_check CHECK (keyframe OR base IS NOT NULL)
) PARTITION BY RANGE (taken_at);
CREATE INDEX snapshot_time_idx ON snapshot (host_id, taken_at);
-- The block is compressed already, and read whole: out of line, untouched.
ALTER TABLE snapshot ALTER COLUMN block SET STORAGE EXTERNAL;
COMMENT ON TABLE snapshot IS 'One row per accepted document, in daily partitions of taken_at (UTC). The tag tables are in block; totals are plain columns. A total that is NULL was not reported';
COMMENT ON COLUMN snapshot.host_id IS 'The host';
COMMENT ON COLUMN snapshot.taken_at IS 'When the host took it (event time)';
COMMENT ON COLUMN snapshot.boot_at IS 'Boot it belongs to; NULL: unknown';
COMMENT ON COLUMN snapshot.sequence IS 'Its number within the boot; NULL: unknown';
COMMENT ON COLUMN snapshot.base IS 'Sequence of the snapshot its rows were changes to, as sent; NULL: it was complete';
COMMENT ON COLUMN snapshot.keyframe IS 'The block holds every row, whether or not base is set';
COMMENT ON COLUMN snapshot.keyframe_at IS 'taken_at of the complete block this snapshot rests on; its own for a keyframe';
COMMENT ON COLUMN snapshot.chain IS 'Steps over base to that complete block; 0 for a keyframe';
COMMENT ON COLUMN snapshot.received_at IS 'When the server took it';
COMMENT ON COLUMN snapshot.row_count IS 'Rows in the block, both pools';
COMMENT ON COLUMN snapshot.nonpaged_bytes IS 'Nonpaged pool in use, bytes';
COMMENT ON COLUMN snapshot.paged_bytes IS 'Paged pool in use, bytes';
COMMENT ON COLUMN snapshot.nonpaged_limit_bytes IS 'Most the nonpaged pool can grow to, bytes';
COMMENT ON COLUMN snapshot.paged_limit_bytes IS 'Most the paged pool can grow to, bytes';
COMMENT ON COLUMN snapshot.commit_bytes IS 'Commit charge, bytes';
COMMENT ON COLUMN snapshot.commit_limit_bytes IS 'Commit limit, bytes';
COMMENT ON COLUMN snapshot.physical_bytes IS 'Physical memory, bytes';
COMMENT ON COLUMN snapshot.available_bytes IS 'Available physical memory, bytes';
COMMENT ON COLUMN snapshot.handles IS 'Open handles, count';
COMMENT ON COLUMN snapshot.processes IS 'Processes, count';
COMMENT ON COLUMN snapshot.threads IS 'Threads, count';
COMMENT ON COLUMN snapshot.alloc_failures IS 'Failed pool allocations since boot, count';
COMMENT ON COLUMN snapshot.detail IS 'objects, processes, sessions and events of the document, in its JSON form; NULL: none';
COMMENT ON COLUMN snapshot.block IS 'Tag tables in the columnar encoding of server/chunk';

CREATE TABLE tag_hour (
    hour_at timestamptz NOT NULL,
    pool text NOT NULL,
    tag text NOT NULL,
    hosts integer NOT NULL,
    sum_bytes bigint NOT NULL,
    p50_bytes bigint NOT NULL,
    p90_bytes bigint NOT NULL,
    p99_bytes bigint NOT NULL,
    max_bytes bigint NOT NULL,
    outstanding bigint,
    buckets bigint[] NOT NULL,
    CONSTRAINT tag_hour_pkey PRIMARY KEY (pool, tag, hour_at),
    CONSTRAINT tag_hour_pool_check CHECK (pool IN ('nonpaged', 'paged'))
) PARTITION BY RANGE (hour_at);
COMMENT ON TABLE tag_hour IS 'Per pool, tag and hour over the whole fleet, from the newest snapshot of each host within the hour; monthly partitions (UTC)';
COMMENT ON COLUMN tag_hour.hour_at IS 'Start of the hour, UTC';
COMMENT ON COLUMN tag_hour.pool IS 'nonpaged or paged';
COMMENT ON COLUMN tag_hour.tag IS 'The tag in text form, four bytes: "Ddk ", "\x01abc"';
COMMENT ON COLUMN tag_hour.hosts IS 'Hosts that had the tag, count';
COMMENT ON COLUMN tag_hour.sum_bytes IS 'Bytes held, summed over these hosts';
COMMENT ON COLUMN tag_hour.p50_bytes IS 'Median over the hosts, bytes';
COMMENT ON COLUMN tag_hour.p90_bytes IS '90th percentile over the hosts, bytes';
COMMENT ON COLUMN tag_hour.p99_bytes IS '99th percentile over the hosts, bytes';
COMMENT ON COLUMN tag_hour.max_bytes IS 'Largest host, bytes';
COMMENT ON COLUMN tag_hour.outstanding IS 'Outstanding allocations, summed; NULL: no host reports allocs and frees';
COMMENT ON COLUMN tag_hour.buckets IS 'Hosts per power of two of bytes: element 1 counts 0 bytes, element n+1 counts [2^(n-1), 2^n)';

CREATE TABLE finding (
    finding_id text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    severity text NOT NULL,
    confidence double precision NOT NULL,
    pool text NOT NULL,
    tag text NOT NULL,
    tags text[] NOT NULL,
    summary text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    resolved_at timestamptz,
    note text,
    muted_until timestamptz,
    acknowledged_by text,
    doc jsonb NOT NULL,
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL,
    CONSTRAINT finding_pkey PRIMARY KEY (finding_id),
    CONSTRAINT finding_kind_check CHECK (kind IN ('leak', 'level', 'plateau', 'exhaustion', 'handle_leak', 'shift')),
    CONSTRAINT finding_status_check CHECK (status IN ('open', 'acknowledged', 'muted', 'resolved')),
    CONSTRAINT finding_severity_check CHECK (severity IN ('info', 'warning', 'critical')),
    CONSTRAINT finding_confidence_check CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT finding_pool_check CHECK (pool IN ('nonpaged', 'paged'))
);
CREATE INDEX finding_status_idx ON finding (status, severity);
CREATE INDEX finding_tag_idx ON finding (tag);
COMMENT ON TABLE finding IS 'One thing to act on, for a group of hosts and a group of tags';
COMMENT ON COLUMN finding.finding_id IS 'Stable over passes: f- and 16 hex digits';
COMMENT ON COLUMN finding.kind IS 'leak, level, plateau, exhaustion, handle_leak or shift';
COMMENT ON COLUMN finding.status IS 'open and resolved are set by the analysis, acknowledged and muted by people';
COMMENT ON COLUMN finding.severity IS 'info, warning or critical';
COMMENT ON COLUMN finding.confidence IS '0 to 1';
COMMENT ON COLUMN finding.pool IS 'nonpaged or paged';
COMMENT ON COLUMN finding.tag IS 'First mover of the group, text form';
COMMENT ON COLUMN finding.tags IS 'All tags that grow with it, first mover first, text form';
COMMENT ON COLUMN finding.summary IS 'One sentence with its numbers';
COMMENT ON COLUMN finding.first_seen_at IS 'Start of the earliest host''s growth or level, event time';
COMMENT ON COLUMN finding.last_seen_at IS 'Newest snapshot that shows it, event time';
COMMENT ON COLUMN finding.opened_at IS 'When the analysis first reported it';
COMMENT ON COLUMN finding.resolved_at IS 'When it was resolved; NULL: it is not';
COMMENT ON COLUMN finding.note IS 'A person''s note; NULL: none';
COMMENT ON COLUMN finding.muted_until IS 'End of muting; NULL: not muted, or for good when the status is muted';
COMMENT ON COLUMN finding.acknowledged_by IS 'Who acknowledged it; NULL: nobody';
COMMENT ON COLUMN finding.doc IS 'Causes, owner, evidence and cause note, as JSON';
COMMENT ON COLUMN finding.version IS 'Counts changes by people, for If-Match';
COMMENT ON COLUMN finding.updated_at IS 'Last change of this row';

CREATE TABLE finding_host (
    finding_id text NOT NULL,
    host_id bigint NOT NULL,
    position integer NOT NULL,
    bytes bigint NOT NULL,
    cohort_bytes bigint,
    cohort_hosts integer NOT NULL,
    score double precision,
    rate_bytes_per_hour double precision,
    since timestamptz,
    exhausts_p10 timestamptz,
    exhausts_p50 timestamptz,
    exhausts_p90 timestamptz,
    limit_name text,
    process text,
    process_handles bigint,
    CONSTRAINT finding_host_pkey PRIMARY KEY (finding_id, host_id),
    CONSTRAINT finding_host_finding_fkey FOREIGN KEY (finding_id) REFERENCES finding (finding_id) ON DELETE CASCADE,
    CONSTRAINT finding_host_host_fkey FOREIGN KEY (host_id) REFERENCES host (host_id) ON DELETE CASCADE
);
CREATE INDEX finding_host_host_idx ON finding_host (host_id);
COMMENT ON TABLE finding_host IS 'The hosts of a finding with their own evidence';
COMMENT ON COLUMN finding_host.finding_id IS 'The finding';
COMMENT ON COLUMN finding_host.host_id IS 'The host';
COMMENT ON COLUMN finding_host.position IS 'Order in the finding, worst first, from 0';
COMMENT ON COLUMN finding_host.bytes IS 'Bytes the finding''s tags hold on this host';
COMMENT ON COLUMN finding_host.cohort_bytes IS 'Median of the cohort for the same tags, bytes; NULL: no cohort';
COMMENT ON COLUMN finding_host.cohort_hosts IS 'Hosts that median rests on, count';
COMMENT ON COLUMN finding_host.score IS 'Robust z against the cohort; NULL: no cohort';
COMMENT ON COLUMN finding_host.rate_bytes_per_hour IS 'Robust slope within this boot; NULL: unknown';
COMMENT ON COLUMN finding_host.since IS 'Growth or level began; NULL: unknown';
COMMENT ON COLUMN finding_host.exhausts_p10 IS 'Early estimate of exhaustion; NULL: none foreseen';
COMMENT ON COLUMN finding_host.exhausts_p50 IS 'Middle estimate of exhaustion; NULL: none foreseen';
COMMENT ON COLUMN finding_host.exhausts_p90 IS 'Late estimate of exhaustion; NULL: none foreseen';
COMMENT ON COLUMN finding_host.limit_name IS 'What runs out: nonpaged_limit, paged_limit, commit, physical; NULL: nothing foreseen';
COMMENT ON COLUMN finding_host.process IS 'Image that holds the objects; NULL: not known';
COMMENT ON COLUMN finding_host.process_handles IS 'Handles of that process, count; NULL: not known';

CREATE TABLE finding_change (
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    finding_id text NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    change text NOT NULL,
    note text,
    CONSTRAINT finding_change_pkey PRIMARY KEY (change_id),
    CONSTRAINT finding_change_finding_fkey FOREIGN KEY (finding_id) REFERENCES finding (finding_id) ON DELETE CASCADE
);
CREATE INDEX finding_change_finding_idx ON finding_change (finding_id, at);
COMMENT ON TABLE finding_change IS 'What happened to a finding, and by whom';
COMMENT ON COLUMN finding_change.change_id IS 'Order of changes';
COMMENT ON COLUMN finding_change.finding_id IS 'The finding';
COMMENT ON COLUMN finding_change.at IS 'When';
COMMENT ON COLUMN finding_change.actor IS 'Name of the token, or analysis';
COMMENT ON COLUMN finding_change.change IS 'opened, acknowledged, muted, resolved, reopened, severity, note, ...';
COMMENT ON COLUMN finding_change.note IS 'Text given with the change; NULL: none';

CREATE TABLE token (
    token_id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    role text NOT NULL,
    sha256 bytea NOT NULL,
    host_id bigint,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz,
    expires_at timestamptz,
    CONSTRAINT token_pkey PRIMARY KEY (token_id),
    CONSTRAINT token_sha256_key UNIQUE (sha256),
    CONSTRAINT token_host_fkey FOREIGN KEY (host_id) REFERENCES host (host_id) ON DELETE CASCADE,
    CONSTRAINT token_role_check CHECK (role IN ('host', 'ingest', 'viewer', 'operator', 'admin')),
    CONSTRAINT token_sha256_check CHECK (octet_length(sha256) = 32)
);
COMMENT ON TABLE token IS 'Bearer tokens; only their hash is kept';
COMMENT ON COLUMN token.token_id IS 'Key';
COMMENT ON COLUMN token.name IS 'Who or what it is for';
COMMENT ON COLUMN token.role IS 'host, ingest, viewer, operator or admin';
COMMENT ON COLUMN token.sha256 IS 'SHA-256 of the token''s text';
COMMENT ON COLUMN token.host_id IS 'The only host it may write, for role host; NULL else';
COMMENT ON COLUMN token.created_at IS 'When it was made';
COMMENT ON COLUMN token.last_used_at IS 'Last use, to about a minute; NULL: never';
COMMENT ON COLUMN token.revoked_at IS 'Refused from then on; NULL: not revoked';
COMMENT ON COLUMN token.expires_at IS 'Refused from then on; NULL: does not expire';

CREATE TABLE session (
    sha256 bytea NOT NULL,
    token_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT session_pkey PRIMARY KEY (sha256),
    CONSTRAINT session_token_fkey FOREIGN KEY (token_id) REFERENCES token (token_id) ON DELETE CASCADE,
    CONSTRAINT session_sha256_check CHECK (octet_length(sha256) = 32)
);
CREATE INDEX session_expires_idx ON session (expires_at);
COMMENT ON TABLE session IS 'Sessions of the page: a cookie that stands for a token';
COMMENT ON COLUMN session.sha256 IS 'SHA-256 of the cookie''s value';
COMMENT ON COLUMN session.token_id IS 'The token it was opened with';
COMMENT ON COLUMN session.created_at IS 'When it was opened';
COMMENT ON COLUMN session.expires_at IS 'Refused from then on';

CREATE TABLE tag_import (
    import_id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    imported_at timestamptz NOT NULL,
    line_count integer NOT NULL,
    entry_count integer NOT NULL,
    refused_count integer NOT NULL,
    CONSTRAINT tag_import_pkey PRIMARY KEY (import_id)
);
COMMENT ON TABLE tag_import IS 'Tag lists that were imported (pooltag.txt, localtag.txt)';
COMMENT ON COLUMN tag_import.import_id IS 'Key';
COMMENT ON COLUMN tag_import.name IS 'Name of the file';
COMMENT ON COLUMN tag_import.imported_at IS 'When';
COMMENT ON COLUMN tag_import.line_count IS 'Lines of the file, count';
COMMENT ON COLUMN tag_import.entry_count IS 'Entries taken, count';
COMMENT ON COLUMN tag_import.refused_count IS 'Lines that could not be read, count';

CREATE TABLE tag_entry (
    import_id bigint NOT NULL,
    position integer NOT NULL,
    pattern text NOT NULL,
    driver text,
    description text,
    CONSTRAINT tag_entry_pkey PRIMARY KEY (import_id, position),
    CONSTRAINT tag_entry_import_fkey FOREIGN KEY (import_id) REFERENCES tag_import (import_id) ON DELETE CASCADE
);
COMMENT ON TABLE tag_entry IS 'Entries of imported tag lists';
COMMENT ON COLUMN tag_entry.import_id IS 'The import';
COMMENT ON COLUMN tag_entry.position IS 'Place in the file, from 0';
COMMENT ON COLUMN tag_entry.pattern IS 'Tag in text form, ? for any byte';
COMMENT ON COLUMN tag_entry.driver IS 'Driver that owns it; NULL: not said';
COMMENT ON COLUMN tag_entry.description IS 'One line; NULL: none';
