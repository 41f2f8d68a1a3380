-- Blocks leave the rows that are kept. A new snapshot's block (and the bulky part of its detail) is
-- appended to snapshot_block, whose partitions are hours of arrival; when such a partition has
-- settled, its snapshots are sealed into snapshot_chunk and it is dropped whole. Rows from before
-- keep the block they have in snapshot.block: nothing is rewritten.

ALTER TABLE snapshot ALTER COLUMN block DROP NOT NULL;
COMMENT ON COLUMN snapshot.block IS 'Tag tables in the encoding of server/chunk, in rows from before 0010; NULL: in snapshot_block, or sealed in snapshot_chunk';
COMMENT ON COLUMN snapshot.detail IS 'big_blocks and events of the document in their JSON form (in rows from before 0010 also objects, processes and sessions); NULL: none';
COMMENT ON COLUMN snapshot.keyframe IS 'The block as appended held every row, whether or not base is set';

CREATE TABLE snapshot_block (
    host_id bigint NOT NULL,
    taken_at timestamptz NOT NULL,
    boot_at timestamptz,
    sequence bigint,
    received_at timestamptz NOT NULL,
    detail jsonb,
    block bytea NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX snapshot_block_idx ON snapshot_block (host_id, taken_at);
-- Rows lie in the order of arrival, so what has come since a moment is found for next to nothing.
CREATE INDEX snapshot_block_arrival_idx ON snapshot_block USING brin (received_at)
    WITH (pages_per_range = 32, autosummarize = on);
-- The block is compressed already, and read whole.
ALTER TABLE snapshot_block ALTER COLUMN block SET STORAGE EXTERNAL;
COMMENT ON TABLE snapshot_block IS 'Tag tables of snapshots that are not sealed yet, as they were received; one row for each row of snapshot. Partitions of six hours of received_at (UTC), dropped once sealed';
COMMENT ON COLUMN snapshot_block.host_id IS 'The host';
COMMENT ON COLUMN snapshot_block.taken_at IS 'As in snapshot';
COMMENT ON COLUMN snapshot_block.boot_at IS 'As in snapshot; NULL: unknown';
COMMENT ON COLUMN snapshot_block.sequence IS 'As in snapshot; NULL: unknown';
COMMENT ON COLUMN snapshot_block.received_at IS 'As in snapshot';
COMMENT ON COLUMN snapshot_block.detail IS 'objects, processes and sessions of the document, in their JSON form; NULL: none';
COMMENT ON COLUMN snapshot_block.block IS 'Tag tables in the encoding of server/chunk/chunk.c';

-- NULLS NOT DISTINCT: documents without boot_at share a chunk.
CREATE TABLE snapshot_chunk (
    host_id bigint NOT NULL,
    span_at timestamptz NOT NULL,
    boot_at timestamptz,
    part integer NOT NULL,
    snapshots integer NOT NULL,
    sealed_at timestamptz NOT NULL,
    chunk bytea NOT NULL,
    CONSTRAINT snapshot_chunk_key UNIQUE NULLS NOT DISTINCT (host_id, span_at, boot_at, part)
) PARTITION BY RANGE (span_at);
ALTER TABLE snapshot_chunk ALTER COLUMN chunk SET STORAGE EXTERNAL;
COMMENT ON TABLE snapshot_chunk IS 'Sealed tag tables: the snapshots of a host, boot and span of six hours of taken_at as one chunk; daily partitions of span_at (UTC). A late document has its chunk written anew';
COMMENT ON COLUMN snapshot_chunk.host_id IS 'The host';
COMMENT ON COLUMN snapshot_chunk.span_at IS 'Start of the six hours (0, 6, 12 or 18 h UTC)';
COMMENT ON COLUMN snapshot_chunk.boot_at IS 'Boot the snapshots belong to; NULL: unknown';
COMMENT ON COLUMN snapshot_chunk.part IS 'From 0; more than one when a span has more than fits a chunk';
COMMENT ON COLUMN snapshot_chunk.snapshots IS 'Snapshots in the chunk, count';
COMMENT ON COLUMN snapshot_chunk.sealed_at IS 'When it was written';
COMMENT ON COLUMN snapshot_chunk.chunk IS 'Tag tables over time in the encoding of server/chunk/sealed_form.h';

-- How far the sealing of each partition has come. A partition is dropped only when the rows counted
-- here are all it has.
CREATE TABLE seal_progress (
    block_from_at timestamptz NOT NULL,
    host_id bigint NOT NULL,
    block_count bigint NOT NULL,
    CONSTRAINT seal_progress_pkey PRIMARY KEY (block_from_at, host_id)
);
COMMENT ON TABLE seal_progress IS 'Steps of sealing the partitions of snapshot_block that are not dropped yet';
COMMENT ON COLUMN seal_progress.block_from_at IS 'Start of the partition (received_at)';
COMMENT ON COLUMN seal_progress.host_id IS 'The step took hosts up to this one';
COMMENT ON COLUMN seal_progress.block_count IS 'Rows of the partition that the step sealed, count';

-- What stays when the snapshots of a host have fallen to retention, and what psql and Grafana can
-- read of a host's tags without the server: its totals by the hour, and its largest tags as an array
-- of hours a day (a row a tag and hour would cost ten times as much).
CREATE TABLE host_hour (
    host_id bigint NOT NULL,
    hour_at timestamptz NOT NULL,
    boot_at timestamptz,
    snapshots integer NOT NULL,
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
    CONSTRAINT host_hour_pkey PRIMARY KEY (host_id, hour_at)
) PARTITION BY RANGE (hour_at);
COMMENT ON TABLE host_hour IS 'Totals of the newest snapshot of each host and hour, kept as long as rollups; monthly partitions (UTC). Written when the day is over';
COMMENT ON COLUMN host_hour.host_id IS 'The host';
COMMENT ON COLUMN host_hour.hour_at IS 'Start of the hour, UTC';
COMMENT ON COLUMN host_hour.boot_at IS 'Boot of that snapshot; NULL: unknown';
COMMENT ON COLUMN host_hour.snapshots IS 'Snapshots of the host in the hour, count';
COMMENT ON COLUMN host_hour.nonpaged_bytes IS 'Nonpaged pool in use, bytes; NULL: unknown, as in all that follow';
COMMENT ON COLUMN host_hour.paged_bytes IS 'Paged pool in use, bytes';
COMMENT ON COLUMN host_hour.nonpaged_limit_bytes IS 'Most the nonpaged pool can grow to, bytes';
COMMENT ON COLUMN host_hour.paged_limit_bytes IS 'Most the paged pool can grow to, bytes';
COMMENT ON COLUMN host_hour.commit_bytes IS 'Commit charge, bytes';
COMMENT ON COLUMN host_hour.commit_limit_bytes IS 'Commit limit, bytes';
COMMENT ON COLUMN host_hour.physical_bytes IS 'Physical memory, bytes';
COMMENT ON COLUMN host_hour.available_bytes IS 'Available physical memory, bytes';
COMMENT ON COLUMN host_hour.handles IS 'Open handles, count';
COMMENT ON COLUMN host_hour.processes IS 'Processes, count';
COMMENT ON COLUMN host_hour.threads IS 'Threads, count';
COMMENT ON COLUMN host_hour.alloc_failures IS 'Failed pool allocations since boot, count';

CREATE TABLE host_tag_day (
    host_id bigint NOT NULL,
    day_at timestamptz NOT NULL,
    pool text NOT NULL,
    tag text NOT NULL,
    bytes bigint[] NOT NULL,
    CONSTRAINT host_tag_day_pkey PRIMARY KEY (host_id, day_at, pool, tag),
    CONSTRAINT host_tag_day_pool_check CHECK (pool IN ('nonpaged', 'paged')),
    CONSTRAINT host_tag_day_bytes_check CHECK (cardinality(bytes) = 24)
) PARTITION BY RANGE (day_at);
COMMENT ON TABLE host_tag_day IS 'Bytes by the hour of a host''s 48 largest tags of each pool and the 16 others that grew most, a row a tag and day, kept as long as rollups; monthly partitions (UTC). Written when the day is over';
COMMENT ON COLUMN host_tag_day.host_id IS 'The host';
COMMENT ON COLUMN host_tag_day.day_at IS 'Start of the day, UTC';
COMMENT ON COLUMN host_tag_day.pool IS 'nonpaged or paged';
COMMENT ON COLUMN host_tag_day.tag IS 'The tag in text form, four bytes: "Ddk ", "\x01abc"';
COMMENT ON COLUMN host_tag_day.bytes IS 'Bytes held at the newest snapshot of each of the 24 hours; NULL: no snapshot, or it had no such tag';
