-- Schema 6: who is let in, and the audit log.

-- Tokens, and sessions of browsers. `spec` is a JSON object; of the secret it has the SHA-256.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    spec TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Invites by which workers join and browsers sign in: `spec` as of a token.
CREATE TABLE invites (
    id TEXT PRIMARY KEY,
    spec TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Public keys of workers that have joined, or that wait to be let in.
CREATE TABLE worker_keys (
    key TEXT PRIMARY KEY,
    spec TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Groups of workers, and which task types each may run.
CREATE TABLE groups (
    name TEXT PRIMARY KEY,
    spec TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The token `key` is as `head` says.
CREATE TRIGGER incoming_token INSTEAD OF INSERT ON incoming WHEN NEW.kind = 70 BEGIN
    INSERT INTO tokens VALUES (NEW.key, NEW.head)
    ON CONFLICT (id) DO UPDATE SET spec = excluded.spec;
END;

-- The invite `key` is as `head` says.
CREATE TRIGGER incoming_invite INSTEAD OF INSERT ON incoming WHEN NEW.kind = 71 BEGIN
    INSERT INTO invites VALUES (NEW.key, NEW.head)
    ON CONFLICT (id) DO UPDATE SET spec = excluded.spec;
END;

-- The worker's key `key` is as `head` says; where `numbers` is not null, that is the invite by which
-- it has joined, one use of which is spent.
CREATE TRIGGER incoming_worker_key INSTEAD OF INSERT ON incoming WHEN NEW.kind = 72 BEGIN
    INSERT INTO worker_keys VALUES (NEW.key, NEW.head)
    ON CONFLICT (key) DO UPDATE SET spec = excluded.spec;
    INSERT INTO invites SELECT json_extract(NEW.numbers, '$.id'), NEW.numbers
    WHERE NEW.numbers IS NOT NULL
    ON CONFLICT (id) DO UPDATE SET spec = excluded.spec;
END;

-- Whoever has this key is nobody.
CREATE TRIGGER incoming_worker_key_forgotten INSTEAD OF INSERT ON incoming WHEN NEW.kind = 73 BEGIN
    DELETE FROM worker_keys WHERE key = NEW.key;
END;

-- The tokens in the list `numbers` and the invites in the list `head` let nobody in any more.
CREATE TRIGGER incoming_access_forgotten INSTEAD OF INSERT ON incoming WHEN NEW.kind = 74 BEGIN
    DELETE FROM tokens WHERE id IN (SELECT value FROM json_each(NEW.numbers));
    DELETE FROM invites WHERE id IN (SELECT value FROM json_each(NEW.head));
END;

-- The group `key` is as `head` says.
CREATE TRIGGER incoming_group INSTEAD OF INSERT ON incoming WHEN NEW.kind = 75 BEGIN
    INSERT INTO groups VALUES (NEW.key, NEW.head)
    ON CONFLICT (name) DO UPDATE SET spec = excluded.spec;
END;

-- The group `key` was removed.
CREATE TRIGGER incoming_group_forgotten INSTEAD OF INSERT ON incoming WHEN NEW.kind = 76 BEGIN
    DELETE FROM groups WHERE name = NEW.key;
END;

-- The audit log: who was let in or refused, and who has changed what.
--
-- `ok` is 0 where it was refused; `token` is the id of the token that was shown. `family` is what a
-- kind begins with, before its point. The last 100,000 are kept.
CREATE TABLE audit (
    entry INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    family TEXT NOT NULL,
    ok INTEGER NOT NULL,
    who TEXT NOT NULL,
    token TEXT NOT NULL,
    address TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;

-- `head` is a list of such rows, without `family`, as lists.
CREATE TRIGGER incoming_audit INSTEAD OF INSERT ON incoming WHEN NEW.kind = 77 BEGIN
    INSERT INTO audit
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           substr(json_extract(value, '$[2]'), 1, instr(json_extract(value, '$[2]') || '.', '.') - 1),
           json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
           json_extract(value, '$[6]'), json_extract(value, '$[7]')
    FROM json_each(NEW.head);
    DELETE FROM audit WHERE entry <= (SELECT max(entry) FROM audit) - 100000;
END;
