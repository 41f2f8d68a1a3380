-- People: accounts with passwords, sessions of theirs, the link of the first start, and the log of
-- what was changed by whom.

CREATE TABLE app_user (
    user_id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    role text NOT NULL,
    password_hash text,
    created_at timestamptz NOT NULL,
    password_changed_at timestamptz,
    last_sign_in_at timestamptz,
    disabled_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    CONSTRAINT app_user_pkey PRIMARY KEY (user_id),
    CONSTRAINT app_user_name_check CHECK (octet_length(name) BETWEEN 1 AND 256),
    CONSTRAINT app_user_role_check CHECK (role IN ('viewer', 'operator', 'admin'))
);
-- "Ann" and "ann" are one person.
CREATE UNIQUE INDEX app_user_name_idx ON app_user (lower(name));
COMMENT ON TABLE app_user IS 'People who sign in on the page by name and password, or are known to a trusted proxy';
COMMENT ON COLUMN app_user.user_id IS 'Key';
COMMENT ON COLUMN app_user.name IS 'What they sign in as; unique whatever the case of its letters';
COMMENT ON COLUMN app_user.role IS 'viewer, operator or admin';
COMMENT ON COLUMN app_user.password_hash IS 'Argon2id with its salt and its limits, as text; NULL: no sign-in by password';
COMMENT ON COLUMN app_user.created_at IS 'When the account was made';
COMMENT ON COLUMN app_user.password_changed_at IS 'When the password was set last; NULL: never';
COMMENT ON COLUMN app_user.last_sign_in_at IS 'Last sign-in by password; NULL: never';
COMMENT ON COLUMN app_user.disabled_at IS 'Refused from then on; NULL: not disabled';
COMMENT ON COLUMN app_user.version IS 'Counts changes by admins, for If-Match';

ALTER TABLE session ALTER COLUMN token_id DROP NOT NULL;
ALTER TABLE session ADD COLUMN user_id bigint;
ALTER TABLE session ADD CONSTRAINT session_user_fkey FOREIGN KEY (user_id) REFERENCES app_user (user_id) ON DELETE CASCADE;
ALTER TABLE session ADD CONSTRAINT session_owner_check CHECK (num_nonnulls(token_id, user_id) = 1);
CREATE INDEX session_user_idx ON session (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX session_token_idx ON session (token_id) WHERE token_id IS NOT NULL;
COMMENT ON TABLE session IS 'Sessions of the page: a cookie that stands for a person or a token';
COMMENT ON COLUMN session.token_id IS 'The token it was opened with; NULL: by a person';
COMMENT ON COLUMN session.user_id IS 'The person who opened it by password; NULL: with a token';

CREATE TABLE setup_link (
    sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT setup_link_pkey PRIMARY KEY (sha256),
    CONSTRAINT setup_link_sha256_check CHECK (octet_length(sha256) = 32)
);
COMMENT ON TABLE setup_link IS 'Links to choose the first administrator; the first one used takes all of them away';
COMMENT ON COLUMN setup_link.sha256 IS 'SHA-256 of the link''s secret';
COMMENT ON COLUMN setup_link.created_at IS 'When the server printed it';
COMMENT ON COLUMN setup_link.expires_at IS 'Refused from then on';

CREATE TABLE audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    actor_kind text NOT NULL,
    address text,
    action text NOT NULL,
    object text NOT NULL,
    detail jsonb,
    CONSTRAINT audit_pkey PRIMARY KEY (audit_id),
    CONSTRAINT audit_actor_kind_check CHECK (actor_kind IN ('user', 'token', 'proxy', 'cli', 'setup'))
);
CREATE INDEX audit_at_idx ON audit (at);
COMMENT ON TABLE audit IS 'What was changed, when and by whom; written in the transaction of the change. Rows leave with the rollups'' retention';
COMMENT ON COLUMN audit.audit_id IS 'Key; later changes have higher ones';
COMMENT ON COLUMN audit.at IS 'When';
COMMENT ON COLUMN audit.actor IS 'Name of the person or token; of the system account, for the command line';
COMMENT ON COLUMN audit.actor_kind IS 'How the actor is known: user, token, proxy, cli or setup';
COMMENT ON COLUMN audit.address IS 'Numeric network address of the peer; NULL: the command line';
COMMENT ON COLUMN audit.action IS 'OBJECT.VERB, such as user.create';
COMMENT ON COLUMN audit.object IS 'What was changed: its name or id';
COMMENT ON COLUMN audit.detail IS 'What else is worth knowing, as an object; never a secret';
