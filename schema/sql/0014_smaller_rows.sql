-- What PostgreSQL keeps beside the chunks, made smaller. Nothing is rewritten: rows from before stay
-- as they are and leave with retention.

-- One index instead of two: a snapshot is looked for by its time, and the same index keeps it from
-- being stored twice. A sequence is looked for among all of a host, which only a late or repeated
-- document does.
ALTER TABLE snapshot DROP CONSTRAINT snapshot_key;
DROP INDEX snapshot_time_idx;
ALTER TABLE snapshot ADD CONSTRAINT snapshot_key
    UNIQUE NULLS NOT DISTINCT (host_id, taken_at, boot_at, sequence);

-- Equal keys take six bytes a row in an index, a key of its own took 46. An hour is written by one
-- at a time, who replaces what there was (store_rollups.c), so the key needs no guard.
ALTER TABLE tag_hour DROP CONSTRAINT tag_hour_pkey;
CREATE INDEX tag_hour_tag_idx ON tag_hour (tag, pool);
-- Hosts lie within a few powers of two: only these are written, with their subscripts.
ALTER TABLE tag_hour ALTER COLUMN buckets DROP NOT NULL,
    ADD COLUMN size_hosts integer[];
COMMENT ON COLUMN tag_hour.size_hosts IS 'Hosts per power of two of bytes: element 0 counts 0 bytes, element n counts [2^(n-1), 2^n); from the smallest to the largest that any host is in. NULL: see buckets';
COMMENT ON COLUMN tag_hour.buckets IS 'The same from before 0014: element 1 counts 0 bytes, element n+1 counts [2^(n-1), 2^n). NULL: see size_hosts';

-- A row is large enough here for PostgreSQL to compress it: a quarter of what a row a tag took.
CREATE TABLE host_pool_day (
    host_id bigint NOT NULL,
    day_at timestamptz NOT NULL,
    pool text NOT NULL,
    tags text[] NOT NULL,
    bytes bigint[] NOT NULL,
    CONSTRAINT host_pool_day_pkey PRIMARY KEY (host_id, day_at, pool),
    CONSTRAINT host_pool_day_pool_check CHECK (pool IN ('nonpaged', 'paged')),
    CONSTRAINT host_pool_day_bytes_check CHECK (cardinality(bytes) = 24 * cardinality(tags))
) PARTITION BY RANGE (day_at);
COMMENT ON TABLE host_pool_day IS 'Bytes by the hour of a host''s 48 largest tags of a pool and the 16 others that grew most, a row a day, kept as long as rollups; monthly partitions (UTC). Written when the day is over; read it as v_host_tag_hour';
COMMENT ON COLUMN host_pool_day.host_id IS 'The host';
COMMENT ON COLUMN host_pool_day.day_at IS 'Start of the day, UTC';
COMMENT ON COLUMN host_pool_day.pool IS 'nonpaged or paged';
COMMENT ON COLUMN host_pool_day.tags IS 'The tags in text form, four bytes: "Ddk ", "\x01abc"';
COMMENT ON COLUMN host_pool_day.bytes IS 'For each tag bytes held at the newest snapshot of each of the 24 hours; NULL: no snapshot, or it had no such tag';
COMMENT ON TABLE host_tag_day IS 'As host_pool_day, a row a tag, from before 0014: nothing new comes, the rest goes with retention';

-- The first value of every tag is a quarter of a chunk, so chunks are of twelve hours. Those of six
-- hours stay; a late document has both halves written as one.
COMMENT ON TABLE snapshot_chunk IS 'Sealed tag tables: the snapshots of a host, boot and span of twelve hours of taken_at as one chunk (six hours from before 0014); daily partitions of span_at (UTC). A late document has its chunk written anew';
COMMENT ON COLUMN snapshot_chunk.span_at IS 'Start of the twelve hours (0 or 12 h UTC); 6 and 18 h from before 0014';
