-- What a build of a driver is, known once in the fleet by the hash of its file; what an agent says
-- of itself; and which boot of a host is posting, to notice two machines under one identity.

CREATE TABLE driver_file (
    sha256 bytea NOT NULL,
    name text NOT NULL,
    version text,
    company text,
    product text,
    symbols text,
    tags text[],
    scanned_at timestamptz,
    scanned_by bigint,
    first_seen_at timestamptz NOT NULL,
    CONSTRAINT driver_file_pkey PRIMARY KEY (sha256),
    CONSTRAINT driver_file_scanned_by_fkey FOREIGN KEY (scanned_by) REFERENCES host (host_id) ON DELETE SET NULL,
    CONSTRAINT driver_file_sha256_check CHECK (octet_length(sha256) = 32),
    CONSTRAINT driver_file_scanned_check CHECK ((tags IS NULL) = (scanned_at IS NULL))
);
CREATE INDEX driver_file_name_idx ON driver_file (name);
CREATE INDEX driver_file_tags_idx ON driver_file USING gin (tags);
COMMENT ON TABLE driver_file IS 'One row per driver build (file), whatever hosts run it; the first host that scanned it tells its tags for all';
COMMENT ON COLUMN driver_file.sha256 IS 'SHA-256 of the file, 32 bytes';
COMMENT ON COLUMN driver_file.name IS 'File name under which it was first seen';
COMMENT ON COLUMN driver_file.version IS 'File version; NULL: unknown';
COMMENT ON COLUMN driver_file.company IS 'Company of the version resource; NULL: unknown';
COMMENT ON COLUMN driver_file.product IS 'Product of the version resource; NULL: unknown';
COMMENT ON COLUMN driver_file.symbols IS 'Name of its symbol file as symbol servers have it: "amda.pdb/GUID and age"; NULL: unknown';
COMMENT ON COLUMN driver_file.tags IS 'Pool tags its code allocates with, text form; empty: scanned, none found; NULL: not scanned';
COMMENT ON COLUMN driver_file.scanned_at IS 'taken_at of the document that brought the tags; NULL: not scanned';
COMMENT ON COLUMN driver_file.scanned_by IS 'The host that scanned it; NULL: not scanned, or that host is gone';
COMMENT ON COLUMN driver_file.first_seen_at IS 'taken_at of the first document that listed the file';

ALTER TABLE host_driver ADD COLUMN sha256 bytea,
    ADD CONSTRAINT host_driver_sha256_check CHECK (octet_length(sha256) = 32);
CREATE INDEX host_driver_sha256_idx ON host_driver (sha256) WHERE sha256 IS NOT NULL;
COMMENT ON COLUMN host_driver.sha256 IS 'Which file it is, see driver_file; NULL: not told';
COMMENT ON COLUMN host_driver.tags IS 'Pool tags of a driver without sha256, in text form. With one they stand in driver_file; the view v_host_driver_history shows both';

ALTER TABLE host ADD COLUMN agent_version text,
    ADD COLUMN agent_waiting bigint,
    ADD COLUMN agent_dropped bigint,
    ADD COLUMN agent_simulated boolean,
    ADD COLUMN live_boot_at timestamptz,
    ADD COLUMN live_taken_at timestamptz;
COMMENT ON COLUMN host.agent_version IS 'Version of its agent, of the newest snapshot that told; NULL: never told';
COMMENT ON COLUMN host.agent_waiting IS 'Snapshots that waited in the agent''s spool behind its newest one; NULL: never told';
COMMENT ON COLUMN host.agent_dropped IS 'Snapshots the agent has lost since it was installed; NULL: never told';
COMMENT ON COLUMN host.agent_simulated IS 'Its pool data does not come from a kernel; NULL: never told';
COMMENT ON COLUMN host.live_boot_at IS 'Boot that the agent posts under, in the order of arrival; NULL: none yet';
COMMENT ON COLUMN host.live_taken_at IS 'Newest taken_at of that boot; a boot that was given up and comes back later than this is another machine';
