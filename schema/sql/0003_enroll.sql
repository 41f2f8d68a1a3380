-- How agents get their identity: enroll secrets, what each host said when it enrolled, and the
-- boots that turned out to be copies of another machine.

CREATE TABLE enroll_secret (
    enroll_secret_id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    max_uses bigint,
    uses bigint NOT NULL DEFAULT 0,
    last_used_at timestamptz,
    CONSTRAINT enroll_secret_pkey PRIMARY KEY (enroll_secret_id),
    CONSTRAINT enroll_secret_sha256_key UNIQUE (sha256),
    CONSTRAINT enroll_secret_sha256_check CHECK (octet_length(sha256) = 32),
    CONSTRAINT enroll_secret_name_check CHECK (octet_length(name) BETWEEN 1 AND 256),
    CONSTRAINT enroll_secret_uses_check CHECK (uses >= 0 AND uses <= max_uses),
    CONSTRAINT enroll_secret_max_uses_check CHECK (max_uses > 0)
);
-- A name can be used again once its secret is revoked; what was enrolled with the old one stays.
CREATE UNIQUE INDEX enroll_secret_name_idx ON enroll_secret (name) WHERE revoked_at IS NULL;
COMMENT ON TABLE enroll_secret IS 'Secrets that let an agent enroll; only their hash is kept. Several are valid at once, so that they can be rotated without touching hosts';
COMMENT ON COLUMN enroll_secret.enroll_secret_id IS 'Key';
COMMENT ON COLUMN enroll_secret.name IS 'What it is for; unique among those not revoked';
COMMENT ON COLUMN enroll_secret.sha256 IS 'SHA-256 of the secret''s text';
COMMENT ON COLUMN enroll_secret.created_at IS 'When it was made';
COMMENT ON COLUMN enroll_secret.expires_at IS 'Refused from then on; NULL: does not expire';
COMMENT ON COLUMN enroll_secret.revoked_at IS 'Refused from then on; NULL: not revoked';
COMMENT ON COLUMN enroll_secret.max_uses IS 'Enrolments it is good for, count; NULL: any number';
COMMENT ON COLUMN enroll_secret.uses IS 'Enrolments made with it, count';
COMMENT ON COLUMN enroll_secret.last_used_at IS 'When a host last enrolled with it; NULL: never';

CREATE TABLE host_identity (
    host_id bigint NOT NULL,
    enroll_secret_id bigint NOT NULL,
    enrolled_at timestamptz NOT NULL,
    enrolments integer NOT NULL,
    machine_id text,
    name text,
    address text NOT NULL,
    boot_at timestamptz,
    agent_version text,
    attributes jsonb,
    CONSTRAINT host_identity_pkey PRIMARY KEY (host_id),
    CONSTRAINT host_identity_host_fkey FOREIGN KEY (host_id) REFERENCES host (host_id) ON DELETE CASCADE,
    CONSTRAINT host_identity_secret_fkey FOREIGN KEY (enroll_secret_id) REFERENCES enroll_secret (enroll_secret_id)
);
-- Both are for the cooldown: has this machine enrolled just now?
CREATE INDEX host_identity_machine_idx ON host_identity (machine_id, enrolled_at);
CREATE INDEX host_identity_address_idx ON host_identity (address, enrolled_at);
COMMENT ON TABLE host_identity IS 'Hosts that enrolled: what each said of itself the last time it did. A host without a row here came by another way (collectors, back-fill)';
COMMENT ON COLUMN host_identity.host_id IS 'The host';
COMMENT ON COLUMN host_identity.enroll_secret_id IS 'The secret it enrolled with';
COMMENT ON COLUMN host_identity.enrolled_at IS 'When it enrolled last';
COMMENT ON COLUMN host_identity.enrolments IS 'How often it enrolled, count';
COMMENT ON COLUMN host_identity.machine_id IS 'What the agent says of its hardware, to tell a copied disk; NULL: not said';
COMMENT ON COLUMN host_identity.name IS 'Host name as said then; NULL: not said';
COMMENT ON COLUMN host_identity.address IS 'Numeric network address it enrolled from';
COMMENT ON COLUMN host_identity.boot_at IS 'Boot it enrolled in; NULL: not said';
COMMENT ON COLUMN host_identity.agent_version IS 'Version of its agent then; NULL: not said';
COMMENT ON COLUMN host_identity.attributes IS 'Attributes as said then; what is known of a host comes from its snapshots. NULL: none said';

CREATE TABLE host_clone (
    host_id bigint NOT NULL,
    boot_at timestamptz NOT NULL,
    other_boot_at timestamptz,
    marked_at timestamptz NOT NULL,
    CONSTRAINT host_clone_pkey PRIMARY KEY (host_id, boot_at),
    CONSTRAINT host_clone_host_fkey FOREIGN KEY (host_id) REFERENCES host (host_id) ON DELETE CASCADE
);
COMMENT ON TABLE host_clone IS 'Boots that lived at the same time as another boot of the same host: another machine with a copy of its identity. They have to enroll anew';
COMMENT ON COLUMN host_clone.host_id IS 'The host whose identity is used twice';
COMMENT ON COLUMN host_clone.boot_at IS 'The boot that must not use it any more';
COMMENT ON COLUMN host_clone.other_boot_at IS 'The boot that keeps it; NULL: not known';
COMMENT ON COLUMN host_clone.marked_at IS 'When that was found';
