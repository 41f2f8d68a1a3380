-- For people, Grafana and notebooks. Dropped and made again, so that columns may change.

DROP VIEW IF EXISTS poolfleet.host, poolfleet.host_totals, poolfleet.host_totals_hour,
    poolfleet.host_tag_hour, poolfleet.host_driver_history, poolfleet.host_attribute_history,
    poolfleet.driver_version, poolfleet.tag_hour, poolfleet.tag_hour_bucket, poolfleet.finding,
    poolfleet.finding_host;
DROP VIEW IF EXISTS v_host_totals_hour, v_host_tag_hour, v_tag_hour_bucket, v_host, v_host_totals, v_host_attribute_history, v_host_driver_history,
    v_driver_version, v_tag_hour, v_finding, v_finding_host;

CREATE VIEW v_host AS
SELECT h.host_id, h.id, h.name, h.first_seen_at, h.last_seen_at, h.boot_at,
       h.last_seen_at - h.boot_at AS uptime,
       a.os_name, a.os_build, a.role, a.model, a.ram_bytes,
       h.agent_version, h.agent_waiting, h.agent_dropped, h.agent_simulated
FROM host h
LEFT JOIN LATERAL (
    SELECT max(value) FILTER (WHERE name = 'os.name') AS os_name,
           max(value) FILTER (WHERE name = 'os.build') AS os_build,
           max(value) FILTER (WHERE name = 'role') AS role,
           max(value) FILTER (WHERE name = 'hw.model') AS model,
           max(value) FILTER (WHERE name = 'hw.ram_bytes') AS ram_bytes
    FROM host_attribute WHERE host_attribute.host_id = h.host_id AND valid_to IS NULL) a ON true;
COMMENT ON VIEW v_host IS 'Hosts with the attributes people ask for first; ram_bytes as reported (text)';

CREATE VIEW v_host_totals AS
SELECT h.id, h.name, s.taken_at, s.boot_at, s.nonpaged_bytes, s.paged_bytes, s.nonpaged_limit_bytes,
       s.paged_limit_bytes, s.commit_bytes, s.commit_limit_bytes, s.physical_bytes,
       s.available_bytes, s.handles, s.processes, s.threads, s.alloc_failures
FROM snapshot s JOIN host h USING (host_id);
COMMENT ON VIEW v_host_totals IS 'Totals of every snapshot; give a range of taken_at and a host id';

CREATE VIEW v_host_attribute_history AS
SELECT h.id, h.name AS host_name, a.name, a.value, a.valid_from, a.valid_to
FROM host_attribute a JOIN host h USING (host_id);
COMMENT ON VIEW v_host_attribute_history IS 'Every value an attribute ever had, with the time it held';

CREATE VIEW v_host_driver_history AS
SELECT h.id, h.name AS host_name, d.name AS driver, d.version, d.company,
       CASE WHEN d.tags = '{}' THEN coalesce(f.tags, '{}') ELSE d.tags END AS tags,
       d.valid_from, d.valid_to, encode(d.sha256, 'hex') AS sha256, f.product, f.symbols,
       f.scanned_at
FROM host_driver d JOIN host h USING (host_id) LEFT JOIN driver_file f USING (sha256);
COMMENT ON VIEW v_host_driver_history IS 'Every version of a driver a host ever had, with the time it held';

CREATE VIEW v_driver_version AS
SELECT name AS driver, version, count(*) FILTER (WHERE valid_to IS NULL) AS hosts_now,
       count(DISTINCT host_id) AS hosts_ever, min(valid_from) AS first_seen_at
FROM host_driver GROUP BY name, version;
COMMENT ON VIEW v_driver_version IS 'How many hosts have, and ever had, each version of each driver';

CREATE VIEW v_tag_hour AS
SELECT hour_at, pool, tag, hosts, sum_bytes, p50_bytes, p90_bytes, p99_bytes, max_bytes, outstanding
FROM tag_hour;
COMMENT ON VIEW v_tag_hour IS 'Fleet figures per tag and hour, without the buckets';

CREATE VIEW v_finding AS
SELECT f.finding_id, f.kind, f.status, f.severity, f.confidence, f.pool, f.tag, f.tags, f.summary,
       f.first_seen_at, f.last_seen_at, f.opened_at, f.resolved_at, f.acknowledged_by, f.muted_until,
       f.note, (SELECT count(*) FROM finding_host x WHERE x.finding_id = f.finding_id) AS hosts
FROM finding f;
COMMENT ON VIEW v_finding IS 'Findings with the number of their hosts';

CREATE VIEW v_finding_host AS
SELECT x.finding_id, x.position, h.id, h.name, x.bytes, x.cohort_bytes, x.score,
       x.rate_bytes_per_hour, x.since, x.exhausts_p50, x.limit_name, x.process, x.process_handles
FROM finding_host x JOIN host h USING (host_id);
COMMENT ON VIEW v_finding_host IS 'The hosts of each finding, worst first by position';

-- The long history: what stays of a host when its snapshots have fallen to retention.

CREATE VIEW v_host_totals_hour AS
SELECT h.id, h.name, s.hour_at, s.boot_at, s.snapshots, s.nonpaged_bytes, s.paged_bytes,
       s.nonpaged_limit_bytes, s.paged_limit_bytes, s.commit_bytes, s.commit_limit_bytes,
       s.physical_bytes, s.available_bytes, s.handles, s.processes, s.threads, s.alloc_failures
FROM host_hour s JOIN host h USING (host_id);
COMMENT ON VIEW v_host_totals_hour IS 'Totals of each host by the hour, from its newest snapshot in it; until yesterday';

-- Bytes are unpacked once a row (OFFSET 0 keeps it so), then taken by the tag.
CREATE VIEW v_host_tag_hour AS
SELECT h.id, h.name, d.day_at + (b.place - 1) * interval '1 hour' AS hour_at, d.pool, d.tag, b.bytes
FROM (SELECT host_id, day_at, pool, tag, bytes FROM host_tag_day
      UNION ALL
      SELECT host_id, day_at, pool, t.tag, u.bytes[t.place:t.place]
      FROM host_pool_day p CROSS JOIN LATERAL (SELECT p.bytes || '{}' AS bytes OFFSET 0) AS u
           CROSS JOIN LATERAL unnest(p.tags) WITH ORDINALITY AS t (tag, place)) AS d
     JOIN host h USING (host_id)
     CROSS JOIN LATERAL unnest(d.bytes) WITH ORDINALITY AS b (bytes, place)
WHERE b.bytes IS NOT NULL AND d.day_at IS NOT NULL;
COMMENT ON VIEW v_host_tag_hour IS 'Bytes of a host''s largest and most growing tags by the hour; until yesterday. Give a tag or a host id';

CREATE VIEW v_tag_hour_bucket AS
SELECT t.hour_at, t.pool, t.tag,
       CASE WHEN b.size = 0 THEN 0 ELSE (2::numeric ^ (b.size - 1))::bigint END AS from_bytes, b.hosts
FROM tag_hour t CROSS JOIN LATERAL (
    SELECT size, t.size_hosts[size]::bigint AS hosts FROM generate_subscripts(t.size_hosts, 1) AS size
    UNION ALL
    SELECT size - 1, t.buckets[size] FROM generate_subscripts(t.buckets, 1) AS size) AS b
WHERE b.hosts > 0 AND b.size < 64;
COMMENT ON VIEW v_tag_hour_bucket IS 'How many hosts hold from from_bytes up to twice that of a tag in an hour; empty buckets are left out';

-- The same under their plain names.
CREATE VIEW poolfleet.host AS SELECT * FROM v_host;
CREATE VIEW poolfleet.host_totals AS SELECT * FROM v_host_totals;
CREATE VIEW poolfleet.host_totals_hour AS SELECT * FROM v_host_totals_hour;
CREATE VIEW poolfleet.host_tag_hour AS SELECT * FROM v_host_tag_hour;
CREATE VIEW poolfleet.host_driver_history AS SELECT * FROM v_host_driver_history;
CREATE VIEW poolfleet.host_attribute_history AS SELECT * FROM v_host_attribute_history;
CREATE VIEW poolfleet.driver_version AS SELECT * FROM v_driver_version;
CREATE VIEW poolfleet.tag_hour AS SELECT * FROM v_tag_hour;
CREATE VIEW poolfleet.tag_hour_bucket AS SELECT * FROM v_tag_hour_bucket;
CREATE VIEW poolfleet.finding AS SELECT * FROM v_finding;
CREATE VIEW poolfleet.finding_host AS SELECT * FROM v_finding_host;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT viewname FROM pg_views WHERE schemaname = 'poolfleet' LOOP
        EXECUTE format('COMMENT ON VIEW poolfleet.%I IS %L', name,
                       obj_description(format('public.v_%s', name)::regclass, 'pg_class'));
    END LOOP;
    PERFORM poolfleet_grant_reader();
END $$;
