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
    ELSIF parent = 'tag_hour' THEN
        from_at := date_trunc('month', moment);
        to_at := from_at + interval '1 month';
        name := parent || '_' || to_char(from_at, 'YYYYMM');
    ELSE
        RAISE EXCEPTION 'table "%" has no partitions', parent;
    END IF;
END $$;
COMMENT ON FUNCTION partition_step(text, timestamptz) IS 'Name and range of the partition of a table that holds a moment: days of snapshot, months of tag_hour, UTC';

-- A table is made alone and then attached: attaching lets others go on reading and writing the
-- parent, which CREATE TABLE ... PARTITION OF would not. The advisory lock orders several servers.
CREATE OR REPLACE FUNCTION partition_ensure(parent text, moments timestamptz[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public SET timezone = 'UTC' SET client_min_messages = 'warning' AS $$
DECLARE
    step record;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('poolfleet partition ' || parent, 0));
    FOR step IN SELECT DISTINCT s.* FROM unnest(moments) AS m, partition_step(parent, m) AS s
                ORDER BY s.from_at LOOP
        CONTINUE WHEN to_regclass('public.' || quote_ident(step.name)) IS NOT NULL;
        -- toast_tuple_target: a block of some KB stays beside its row, one write instead of four.
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS '
                       'INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS, '
                       'CONSTRAINT %I CHECK (%I >= %L AND %I < %L)) '
                       'WITH (toast_tuple_target = 8160)',
                       step.name, parent, step.name || '_range',
                       CASE parent WHEN 'snapshot' THEN 'taken_at' ELSE 'hour_at' END, step.from_at,
                       CASE parent WHEN 'snapshot' THEN 'taken_at' ELSE 'hour_at' END, step.to_at);
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
    IF parent NOT IN ('snapshot', 'tag_hour') THEN
        RAISE EXCEPTION 'table "%" has no partitions', parent;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('poolfleet partition ' || parent, 0));
    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = ('public.' || quote_ident(parent))::regclass ORDER BY 1 LOOP
        suffix := substr(part.relname, length(parent) + 2);
        CONTINUE WHEN suffix !~ '^([0-9]{8}|[0-9]{6})$';
        from_at := to_timestamp(rpad(suffix, 8, '01'), 'YYYYMMDD');
        IF (SELECT s.to_at FROM partition_step(parent, from_at) AS s) <= older_than THEN
            EXECUTE format('DROP TABLE public.%I', part.relname);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION partition_drop(text, timestamptz) IS 'Retention: drops partitions that hold nothing newer than the moment; how many were dropped';
