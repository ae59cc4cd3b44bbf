-- Blobs that lost their row and whose file may still be there: the proof that nobody needs it, whatever else the files say.
create table freed (
  id text primary key
);
