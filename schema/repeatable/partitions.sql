-- Partitions are made and dropped by these functions only, so that the server needs no right to
-- create tables. SECURITY DEFINER: they run as their owner, the role that migrates.

CREATE OR REPLACE FUNCTION partition_step(parent text, moment timestamptz,
                                          OUT name text, OUT from_at timestamptz, OUT to_at timestamptz)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, public SET timezone = 'UTC' AS $$
BEGIN
    IF parent = 'snapshot' THEN
        from_at := date_trunc('day', moment);
        to_at := from_at + interval '1 day';
        name := parent || '_' || to_char(from_at, 'YYYYMMDD');
    ELSIF parent = 'snapshot_chunk' THEN
        from_at := date_trunc('day', moment);
        to_at := from_at + interval '1 day';
        name := parent || '_' || to_char(from_at, 'YYYYMMDD');
    ELSIF parent IN ('snapshot_block', 'snapshot_chunk') THEN
        from_at := date_bin('6 hours', moment, '2000-01-01 00:00:00+00');
        to_at := from_at + interval '6 hours';
        name := parent || '_' || to_char(from_at, 'YYYYMMDDHH24');
    ELSIF parent IN ('tag_hour', 'host_hour', 'host_tag_day', 'host_pool_day') THEN
        from_at := date_trunc('month', moment);
        to_at := from_at + interval '1 month';
        name := parent || '_' || to_char(from_at, 'YYYYMM');
    ELSE
        RAISE EXCEPTION 'table "%" has no partitions', parent;
    END IF;
END $$;
COMMENT ON FUNCTION partition_step(text, timestamptz) IS 'Name and range of the partition of a table that holds a moment: days of snapshot and snapshot_chunk, six hours of snapshot_block, months of tag_hour, host_hour, host_tag_day and host_pool_day, UTC';

CREATE OR REPLACE FUNCTION partition_column(parent text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public AS $$
    SELECT CASE parent WHEN 'snapshot' THEN 'taken_at' WHEN 'snapshot_block' THEN 'received_at'
                       WHEN 'snapshot_chunk' THEN 'span_at' WHEN 'tag_hour' THEN 'hour_at'
                       WHEN 'host_hour' THEN 'hour_at' WHEN 'host_tag_day' THEN 'day_at'
                       WHEN 'host_pool_day' THEN 'day_at' END
$$;
COMMENT ON FUNCTION partition_column(text) IS 'The column a table is partitioned by; NULL: it is not';

-- Columns and checks of a partition. Wide columns first and those of any length last, whatever order
-- the parent has: then no row has gaps between its columns.
CREATE OR REPLACE FUNCTION partition_definition(parent regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT concat_ws(', ',
        (SELECT string_agg(concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod),
                                     CASE WHEN attnotnull THEN 'NOT NULL' END),
                           ', ' ORDER BY attlen < 0, attlen DESC, attnum)
         FROM pg_attribute WHERE attrelid = parent AND attnum > 0 AND NOT attisdropped),
        (SELECT string_agg(format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), ', ')
         FROM pg_constraint WHERE conrelid = parent AND contype = 'c'))
$$;
COMMENT ON FUNCTION partition_definition(regclass) IS 'Columns and checks of a partition as CREATE TABLE has them';

-- A table is made alone and then attached: attaching lets others go on reading and writing the
-- parent, which CREATE TABLE ... PARTITION OF would not. The advisory lock orders several servers.
CREATE OR REPLACE FUNCTION partition_ensure(parent text, moments timestamptz[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public SET timezone = 'UTC' SET client_min_messages = 'warning' AS $$
DECLARE
    step record;
    stored name;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('poolfleet partition ' || parent, 0));
    FOR step IN SELECT DISTINCT s.* FROM unnest(moments) AS m, partition_step(parent, m) AS s
                ORDER BY s.from_at LOOP
        CONTINUE WHEN to_regclass('public.' || quote_ident(step.name)) IS NOT NULL;
        EXECUTE format('CREATE TABLE public.%I (%s, CONSTRAINT %I CHECK (%I >= %L AND %I < %L))',
                       step.name, partition_definition(parent::regclass), step.name || '_range',
                       partition_column(parent), step.from_at,
                       partition_column(parent), step.to_at);
        -- What is stored out of line, and when: a block of some KB stays beside its row, one write
        -- instead of four.
        FOR stored IN SELECT attname FROM pg_attribute
                      WHERE attrelid = parent::regclass AND attstorage = 'e' AND NOT attisdropped LOOP
            EXECUTE format('ALTER TABLE public.%I ALTER COLUMN %I SET STORAGE EXTERNAL', step.name, stored);
        END LOOP;
        IF parent IN ('snapshot_block', 'snapshot_chunk') THEN
            EXECUTE format('ALTER TABLE public.%I SET (toast_tuple_target = 8160)', step.name);
        END IF;
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                       parent, step.name, step.from_at, step.to_at);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION partition_ensure(text, timestamptz[]) IS 'Makes the missing partitions for these moments; how many were made';

CREATE OR REPLACE FUNCTION partition_drop(parent text, older_than timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public SET timezone = 'UTC' AS $$
DECLARE
    part record;
    dropped integer := 0;
    suffix text;
    from_at timestamptz;
BEGIN
    IF partition_column(parent) IS NULL THEN
        RAISE EXCEPTION 'table "%" has no partitions', parent;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('poolfleet partition ' || parent, 0));
    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = ('public.' || quote_ident(parent))::regclass ORDER BY 1 LOOP
        suffix := substr(part.relname, length(parent) + 2);
        CONTINUE WHEN suffix !~ '^([0-9]{10}|[0-9]{8}|[0-9]{6})$';
        from_at := to_timestamp(rpad(CASE length(suffix) WHEN 6 THEN suffix || '01' ELSE suffix END, 10, '0'),
                                'YYYYMMDDHH24');
        IF (SELECT s.to_at FROM partition_step(parent, from_at) AS s) <= older_than THEN
            EXECUTE format('DROP TABLE public.%I', part.relname);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION partition_drop(text, timestamptz) IS 'Retention: drops partitions that hold nothing newer than the moment; how many were dropped';

-- The partitions of appended blocks, oldest first.
CREATE OR REPLACE FUNCTION snapshot_block_partitions()
RETURNS TABLE (from_at timestamptz, to_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public SET timezone = 'UTC' AS $$
    SELECT s.from_at, s.to_at FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
        partition_step('snapshot_block', to_timestamp(substr(c.relname, 16), 'YYYYMMDDHH24')) AS s
    WHERE i.inhparent = 'public.snapshot_block'::regclass AND c.relname ~ '^snapshot_block_[0-9]{10}$'
    ORDER BY 1
$$;
COMMENT ON FUNCTION snapshot_block_partitions() IS 'The partitions of snapshot_block with their ranges of received_at, oldest first';

-- Drops a partition of appended blocks when it holds exactly the rows that were sealed. SHARE keeps
-- writers out while it counts; nobody writes to a partition of the past, so nobody waits.
CREATE OR REPLACE FUNCTION snapshot_block_retire(block_from_at timestamptz, expected bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public SET timezone = 'UTC' SET lock_timeout = '3s' AS $$
DECLARE
    name text := (SELECT s.name FROM partition_step('snapshot_block', block_from_at) AS s);
    found bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('poolfleet partition snapshot_block', 0));
    IF to_regclass('public.' || quote_ident(name)) IS NULL THEN
        RETURN expected;
    END IF;
    EXECUTE format('LOCK TABLE public.%I IN SHARE MODE', name);
    EXECUTE format('SELECT count(*) FROM public.%I', name) INTO found;
    IF found = expected THEN
        EXECUTE format('DROP TABLE public.%I', name);
    END IF;
    DELETE FROM seal_progress p WHERE p.block_from_at = snapshot_block_retire.block_from_at;
    RETURN found;
END $$;
COMMENT ON FUNCTION snapshot_block_retire(timestamptz, bigint) IS 'Drops a partition of snapshot_block if it has as many rows as expected; otherwise only forgets how far its sealing had come. How many rows it had';

-- What has arrived since a moment: appended blocks tell it for as long as they are kept, which is
-- longer than any job lies behind. Before that (an older database, a server that stood still) all
-- snapshots are looked through.
CREATE OR REPLACE FUNCTION snapshot_arrived(after timestamptz)
RETURNS TABLE (host_id bigint, taken_at timestamptz, received_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    IF after >= (SELECT min(p.from_at) FROM snapshot_block_partitions() AS p) THEN
        RETURN QUERY SELECT b.host_id, b.taken_at, b.received_at FROM snapshot_block b
                     WHERE b.received_at > after;
    ELSE
        RETURN QUERY SELECT s.host_id, s.taken_at, s.received_at FROM snapshot s
                     WHERE s.received_at > coalesce(after, '-infinity');
    END IF;
END $$;
COMMENT ON FUNCTION snapshot_arrived(timestamptz) IS 'Snapshots received after a moment; NULL: all';
