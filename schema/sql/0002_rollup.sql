-- What the rollups and the analysis remember between passes, and a way to find what has arrived.

CREATE TABLE job_mark (
    name text NOT NULL,
    mark_at timestamptz NOT NULL,
    CONSTRAINT job_mark_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE job_mark IS 'How far a background job has come';
COMMENT ON COLUMN job_mark.name IS 'The job: rollup (mark_at is the newest received_at it has seen)';
COMMENT ON COLUMN job_mark.mark_at IS 'The mark';

-- Rows are appended in the order they arrive, so a few bytes per block range tell a back-fill of
-- old hours apart from what was there; a tree would cost every insert.
CREATE INDEX snapshot_received_idx ON snapshot USING brin (received_at) WITH (pages_per_range = 16);

-- Which drivers hold a tag: asked for every tag a person opens.
CREATE INDEX host_driver_tags_idx ON host_driver USING gin (tags);
