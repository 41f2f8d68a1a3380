-- A chunk of version 2 is kept as its head and the rest, with the place of each group of tags beside
-- them, so that one statement fetches the head and the group that holds a tag: 2 KB of 60. Chunks
-- from before stay as they are, whole in "chunk" with these columns NULL.
ALTER TABLE snapshot_chunk ADD COLUMN head bytea, ADD COLUMN group_keys integer[],
    ADD COLUMN group_ends integer[];
COMMENT ON COLUMN snapshot_chunk.chunk IS 'Tag tables over time in the encoding of server/chunk/sealed_form.h, without the head where that stands by itself';
COMMENT ON COLUMN snapshot_chunk.head IS 'Its head: keys of the snapshots, checksums and lengths of all parts; NULL: it is the beginning of chunk, or the chunk is of version 1, which has none';
COMMENT ON COLUMN snapshot_chunk.group_keys IS 'Lowest pool and tag of each group, rising (sealed_slice_key): width_bucket finds the group of a tag; NULL: the chunk is only read whole';
COMMENT ON COLUMN snapshot_chunk.group_ends IS 'Where in chunk each group begins, from 0, and where the last one ends';

-- Series are read from chunks and appended blocks alone. Only rows from before 0010 have blocks of
-- their own; no later document has a time beyond this, so that it need not be looked for there.
INSERT INTO job_mark (name, mark_at)
SELECT 'blocks in rows', now() + interval '1 hour' WHERE EXISTS (SELECT FROM snapshot);
