-- Hosts whose newest snapshot cannot be true. Each analysis pass writes the set anew, so that any
-- server can tell of them, not only the one that analyzed.
CREATE TABLE host_fault (
    host_id bigint NOT NULL,
    since_at timestamptz NOT NULL,
    code text NOT NULL,
    CONSTRAINT host_fault_pkey PRIMARY KEY (host_id),
    CONSTRAINT host_fault_host_fkey FOREIGN KEY (host_id) REFERENCES host (host_id) ON DELETE CASCADE,
    CONSTRAINT host_fault_code_check CHECK (octet_length(code) BETWEEN 1 AND 64)
);
COMMENT ON TABLE host_fault IS 'Hosts that the newest analysis pass left out because their data cannot be true; a host that is well again has no row';
COMMENT ON COLUMN host_fault.host_id IS 'The host';
COMMENT ON COLUMN host_fault.since_at IS 'As-of time of the first pass in a row that left it out';
COMMENT ON COLUMN host_fault.code IS 'Why: boot_after_snapshot, nonpaged_beyond_memory, paged_beyond_commit';
