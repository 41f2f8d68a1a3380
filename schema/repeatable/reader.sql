-- Who may read with SQL: the role poolfleet_reader, for others to be members of. It is not made here
-- (that takes a right the server does without); once it is there, every update grants anew.

CREATE SCHEMA IF NOT EXISTS poolfleet;
COMMENT ON SCHEMA poolfleet IS 'Views for people, Grafana and notebooks: names and columns are kept';

CREATE OR REPLACE FUNCTION poolfleet_grant_reader() RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    name text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'poolfleet_reader') THEN
        RETURN 'there is no role poolfleet_reader: CREATE ROLE poolfleet_reader NOLOGIN';
    END IF;
    GRANT USAGE ON SCHEMA poolfleet TO poolfleet_reader;
    GRANT SELECT ON ALL TABLES IN SCHEMA poolfleet TO poolfleet_reader;
    FOR name IN SELECT viewname FROM pg_views WHERE schemaname = 'public' AND viewname LIKE 'v\_%' LOOP
        EXECUTE format('GRANT SELECT ON public.%I TO poolfleet_reader', name);
    END LOOP;
    RETURN 'poolfleet_reader may read the views';
END $$;
COMMENT ON FUNCTION poolfleet_grant_reader() IS 'Grants the views, and nothing else, to the role poolfleet_reader if there is one; says what it did';
