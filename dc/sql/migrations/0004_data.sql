-- Schema 4: data of any size, and plugins that arrive by themselves.

-- --- plugins --------------------------------------------------------------------------------------
--
-- Plugins that the server has or had, each by the SHA-256 of its archive, which is a blob. `manifest`
-- and `types` are JSON. One that is there already and is added again is the newest of its name again.

CREATE TABLE plugins (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    types TEXT NOT NULL,
    signer TEXT NOT NULL,
    signature TEXT NOT NULL,
    added REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX plugins_of_name ON plugins (name, added);

-- The plugin whose code a job's tasks run: empty if that is not known. The job names its archive in
-- `blob_uses`, as it does its inputs.
ALTER TABLE jobs ADD COLUMN plugin TEXT
    GENERATED ALWAYS AS (coalesce(json_extract(spec, '$.plugin'), '')) VIRTUAL;

-- A plugin, which is `key`: `head` is a list of its name, manifest, types, signer and signature,
-- `count` the size of its archive in bytes.
CREATE TRIGGER incoming_plugin INSTEAD OF INSERT ON incoming WHEN NEW.kind = 40 BEGIN
    INSERT INTO plugins
    VALUES (NEW.key, json_extract(NEW.head, '$[0]'), NEW.count, json_extract(NEW.head, '$[1]'),
            json_extract(NEW.head, '$[2]'), json_extract(NEW.head, '$[3]'),
            json_extract(NEW.head, '$[4]'), NEW.at)
    ON CONFLICT (digest) DO UPDATE
    SET name = excluded.name, size = excluded.size, manifest = excluded.manifest,
        types = excluded.types, signer = excluded.signer, signature = excluded.signature,
        added = excluded.added;
END;
