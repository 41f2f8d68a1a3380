-- Hosts as the analysis keeps them read from pass to pass, so that a server that starts goes on from
-- there instead of reading 14 days of each. All of it can be made again from snapshots at any time:
-- unlogged, so that it costs no WAL and no replica anything, and is empty after a crash of PostgreSQL.
CREATE UNLOGGED TABLE analysis_checkpoint (
    host_id bigint NOT NULL,
    received_at timestamptz NOT NULL,
    attributes_digest bytea NOT NULL,
    drivers_digest bytea NOT NULL,
    kept bytea NOT NULL,
    CONSTRAINT analysis_checkpoint_pkey PRIMARY KEY (host_id),
    CONSTRAINT analysis_checkpoint_host_fkey FOREIGN KEY (host_id) REFERENCES host (host_id) ON DELETE CASCADE
);
-- Compressed already, and read whole.
ALTER TABLE analysis_checkpoint ALTER COLUMN kept SET STORAGE EXTERNAL;
COMMENT ON TABLE analysis_checkpoint IS 'Hosts as the running analysis keeps them in memory, for the next start; a cache: rows may be missing or deleted at any time';
COMMENT ON COLUMN analysis_checkpoint.host_id IS 'The host';
COMMENT ON COLUMN analysis_checkpoint.received_at IS 'What was received up to then is in it';
COMMENT ON COLUMN analysis_checkpoint.attributes_digest IS 'Of the attributes it knows, as in host';
COMMENT ON COLUMN analysis_checkpoint.drivers_digest IS 'Of the drivers it knows, as in host';
COMMENT ON COLUMN analysis_checkpoint.kept IS 'The host in the encoding of server/analyze/kept_store.h';
