-- The index of the embedded store: what keys mean. Times are UTC milliseconds, JSON is text, keys sort by their bytes.

create table buckets (
  name text primary key,
  created_at bigint not null
);

-- What a key means now. `id` changes with every write; the bytes are the blobs that it owns, in order.
create table objects (
  bucket text not null references buckets(name),
  key text not null,
  id text not null unique,
  len bigint not null,
  etag text not null,
  -- how many parts it was sent in; absent when it came in one piece
  parts bigint,
  headers text not null,
  sums text not null,
  written_at bigint not null,
  primary key (bucket, key)
);

-- An unfinished multipart upload. Completing it makes an object of the same id, so its blobs never move.
create table uploads (
  id text primary key,
  bucket text not null references buckets(name),
  key text not null,
  headers text not null,
  created_at bigint not null
);
create index uploads_key on uploads (bucket, key, id);

-- A file of bytes that never changes once it is here. `id` names the file, `owner` the object or the upload.
create table blobs (
  id text primary key,
  owner text not null,
  no bigint not null,
  len bigint not null,
  etag text not null,
  sums text not null,
  written_at bigint not null,
  constraint blob_once unique (owner, no)
);
