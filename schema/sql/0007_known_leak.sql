-- Known leaks that people added or changed, beside the list that is built into the program.

CREATE SEQUENCE known_leak_revision_seq;

CREATE TABLE known_leak (
    known_id text NOT NULL,
    doc text NOT NULL,
    revision bigint NOT NULL DEFAULT nextval('known_leak_revision_seq'),
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    CONSTRAINT known_leak_pkey PRIMARY KEY (known_id),
    CONSTRAINT known_leak_known_id_check CHECK (octet_length(known_id) BETWEEN 1 AND 64),
    CONSTRAINT known_leak_doc_check CHECK (octet_length(doc) BETWEEN 2 AND 16384)
);
ALTER SEQUENCE known_leak_revision_seq OWNED BY known_leak.revision;
COMMENT ON TABLE known_leak IS 'Imported known leaks; one with the id of a built-in entry replaces it';
COMMENT ON COLUMN known_leak.known_id IS 'Id of the entry, also in doc';
COMMENT ON COLUMN known_leak.doc IS 'The entry as JSON, in the form of known_leaks.schema.json; text, so that its members keep their order';
COMMENT ON COLUMN known_leak.revision IS 'Changes with every write; servers compare the sum over all rows to see that their copy is old';
COMMENT ON COLUMN known_leak.changed_at IS 'When it was last written';
COMMENT ON COLUMN known_leak.changed_by IS 'Who wrote it: the name of a token, or "command line"';
