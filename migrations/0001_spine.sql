-- One schema text for SQLite and PostgreSQL. Times (`*_at`) are UTC milliseconds, dates (`*_on`) are 'YYYY-MM-DD' in
-- Asia/Shanghai, JSON is text, ids are prefixed sortable text. Region paths ('43/4307/430723/') are stored as they were
-- when a row was written, so a merge of regions never rewrites history.

-- ---- territory -------------------------------------------------------------------------------------------------
create table regions (
  code text primary key,
  level bigint not null check (level between 1 and 5),
  parent_code text references regions(code),
  name text not null,
  -- the published name, where the one shown was cleaned (罗巷新村村民委委会 is shown as 罗巷新村)
  raw_name text,
  kind text not null,
  path text not null unique,
  valid_from text,
  valid_to text,
  successor_code text references regions(code)
);
create index regions_parent on regions (parent_code, code);
create index regions_name on regions (name);

create table region_aliases (
  region_code text not null references regions(code),
  name text not null,
  primary key (region_code, name)
);

-- ---- people ----------------------------------------------------------------------------------------------------
create table users (
  id text primary key,
  display_name text not null,
  phone_hash text not null unique,
  phone_enc text not null,
  phone_masked text not null,
  password_hash text not null,
  -- issued: handed out with a roster, and never used so far. reset: handed to her in person, in place of what was lost.
  -- pin: six digits, which are good on the phones they were used on before
  secret text not null default 'issued' check (secret in ('issued', 'reset', 'password', 'pin')),
  region_code text not null references regions(code),
  region_path text not null,
  state text not null check (state in ('active', 'suspended')),
  created_at bigint not null
);
create index users_region on users (region_path);

create table role_grants (
  id text primary key,
  user_id text not null references users(id),
  role text not null check (role in ('trainee', 'mentor', 'staff', 'admin')),
  region_path text,
  granted_by text references users(id),
  valid_from bigint not null,
  valid_to bigint,
  check ((role = 'staff') = (region_path is not null))
);
create index role_grants_user on role_grants (user_id);

create table sessions (
  token_hash text primary key,
  user_id text not null references users(id),
  created_at bigint not null,
  last_seen_at bigint not null,
  expires_at bigint not null
);
create index sessions_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);

-- Wrong guesses only: two hundred people behind one address must be able to sign in.
create table sign_in_failures (
  phone_hash text not null,
  at bigint not null
);
create index sign_in_failures_phone on sign_in_failures (phone_hash, at);

-- The phones that somebody came in on; a family shares one.
create table devices (
  token_hash text not null,
  user_id text not null references users(id),
  bound_at bigint not null,
  primary key (token_hash, user_id)
);
create index devices_user on devices (user_id);

-- ---- published content: immutable once in, named by version ------------------------------------------------------
create table content_versions (
  kind text not null check (kind in ('course', 'rubric', 'star_rules', 'phrases', 'coaching')),
  version text not null,
  body text not null,
  sha256 text not null,
  published_at bigint not null,
  primary key (kind, version)
);

-- ---- cohorts ---------------------------------------------------------------------------------------------------
create table cohorts (
  id text primary key,
  series_no bigint not null unique,
  title text not null,
  host text not null,
  region_code text not null references regions(code),
  region_path text not null,
  state text not null check (state in ('running', 'closed')),
  course_version text not null,
  rubric_version text not null,
  starts_on text not null,
  ends_on text not null,
  -- what the QR code on the wall says; made when it is first shown
  join_token text unique,
  created_by text not null references users(id),
  created_at bigint not null
);
create index cohorts_region on cohorts (region_path);

create table memberships (
  cohort_id text not null references cohorts(id),
  user_id text not null references users(id),
  part text not null check (part in ('trainee', 'mentor')),
  group_no bigint,
  seat_no bigint,
  state text not null check (state in ('active', 'graduated', 'withdrawn')),
  joined_at bigint not null,
  -- when she came in by the class's door, face to face
  arrived_at bigint,
  -- what the QR code on her card says; made when cards are printed
  card_token text unique,
  primary key (cohort_id, user_id)
);
create index memberships_user on memberships (user_id);

-- The door of a class: open for a while, and found by four digits that are read out in the hall.
create table join_windows (
  id text primary key,
  cohort_id text not null references cohorts(id),
  -- the city in which no two open doors have one code
  city_path text not null,
  code text not null,
  opened_by text not null references users(id),
  opened_at bigint not null,
  closes_at bigint not null,
  -- by hand or, when that is next looked at, by its time; until then its code is taken
  closed_at bigint
);
create unique index join_window_code_once on join_windows (city_path, code) where closed_at is null;
create unique index join_window_of_cohort_once on join_windows (cohort_id) where closed_at is null;
create index join_windows_code on join_windows (code, closes_at);

-- Who stood before an open door and is on no roster.
create table join_requests (
  id text primary key,
  cohort_id text not null references cohorts(id),
  phone_hash text not null,
  phone_enc text not null,
  phone_masked text not null,
  state text not null check (state in ('pending', 'approved', 'rejected')),
  reason text,
  asked_at bigint not null,
  decided_by text references users(id),
  decided_at bigint,
  constraint join_request_once unique (cohort_id, phone_hash)
);
create index join_requests_pending on join_requests (cohort_id, state, asked_at);

-- Wrong codes and unknown numbers within ten minutes, by phone and by address. A try counts before it is looked at.
create table join_tries (
  subject text primary key,
  began_at bigint not null,
  wrong bigint not null
);

create table lesson_progress (
  user_id text not null references users(id),
  cohort_id text not null references cohorts(id),
  lesson_code text not null,
  completed_at bigint not null,
  primary key (cohort_id, user_id, lesson_code)
);

-- ---- clips -----------------------------------------------------------------------------------------------------
create table clips (
  id text primary key,
  owner_id text not null references users(id),
  cohort_id text references cohorts(id),
  assignment_code text,
  title text not null,
  state text not null check (state in ('draft', 'submitted', 'reviewing', 'returned', 'passed', 'withdrawn')),
  region_code text not null,
  region_path text not null,
  created_at bigint not null,
  updated_at bigint not null
);
create index clips_owner on clips (owner_id, id);
create index clips_cohort on clips (cohort_id, state);

create table clip_versions (
  id text primary key,
  clip_id text not null references clips(id),
  n bigint not null,
  state text not null check (state in ('uploading', 'received', 'processing', 'ready', 'failed', 'abandoned')),
  filename text not null,
  content_type text not null,
  bytes bigint not null,
  sha256 text,
  original_key text,
  -- why the file she sent is not kept any more
  original_gone text check (original_gone in ('released', 'lost')),
  -- why a version failed: a code of core::clip::refusal, with what to tell her
  reason_code text,
  -- probed facts and the verdict, JSON; absent until probed
  facts text,
  width bigint,
  height bigint,
  duration_ms bigint,
  poster_key text,
  mp4_key text,
  storyboard_key text,
  storyboard_vtt_key text,
  waveform_key text,
  -- how long each of these is, so that one that was cut short is seen
  poster_bytes bigint,
  mp4_bytes bigint,
  storyboard_bytes bigint,
  storyboard_vtt_bytes bigint,
  waveform_bytes bigint,
  playable_at bigint,
  created_at bigint not null,
  received_at bigint,
  ready_at bigint,
  failed_at bigint,
  -- how often what its sidecar tells has changed, and up to which change the sidecar was written
  sidecar_rev bigint not null default 0,
  sidecar_put bigint not null default 0,
  constraint clip_version_once unique (clip_id, n)
);
create index clip_versions_sidecar on clip_versions (id) where sidecar_put < sidecar_rev;

create table renditions (
  id text primary key,
  version_id text not null references clip_versions(id),
  attempt bigint not null,
  name text not null,
  width bigint not null,
  height bigint not null,
  bandwidth bigint not null,
  codecs text not null,
  init_key text not null,
  init_bytes bigint not null,
  complete boolean not null,
  constraint rendition_once unique (version_id, attempt, name)
);

create table rendition_segments (
  rendition_id text not null references renditions(id),
  n bigint not null,
  duration_ms bigint not null,
  bytes bigint not null,
  key text not null,
  primary key (rendition_id, n)
);

-- Words under a version's picture. embedded: a track of the film, made anew with all that is made of it. attached: a file
-- that she added herself, one for each language.
create table caption_tracks (
  id text primary key,
  version_id text not null references clip_versions(id),
  origin text not null check (origin in ('embedded', 'attached')),
  language text not null,
  title text,
  key text not null,
  bytes bigint not null
);
create index caption_tracks_version on caption_tracks (version_id);
create unique index caption_track_attached_once on caption_tracks (version_id, language) where origin = 'attached';

create table uploads (
  id text primary key,
  owner_id text not null references users(id),
  -- whole: its client sends a file. partial: its client sends a stretch of one, of which there is no clip yet.
  -- final: we join partial ones (upload_sources) to a file
  kind text not null check (kind in ('whole', 'partial', 'final')),
  clip_id text references clips(id),
  version_id text references clip_versions(id),
  -- absent until its client knows it
  length bigint check (length >= 0),
  -- fixed for the upload's life, so that a part's number is a function of the offset
  part_size bigint not null check (part_size > 0),
  state text not null check (state in ('open', 'completing', 'complete', 'failed', 'terminated', 'expired')),
  -- counts the writers; only the newest one may record anything
  epoch bigint not null,
  -- Upload-Metadata and, of a final one, Upload-Concat as the client sent them
  metadata text not null,
  concat text,
  -- the client's name for this creation, so that asking again makes no second one, and says the same refusal again; let
  -- go of when the upload is given up
  idempotency_key text,
  -- absent until the first bytes that become part of the object
  key text,
  s3_upload_id text,
  -- SHA-256 over the SHA-256 of every part
  root_sha256 text,
  reason_code text,
  created_at bigint not null,
  -- its bytes count for this day: when it was begun, or when the last ones came before its length was known
  counts_at bigint not null,
  updated_at bigint not null,
  expires_at bigint not null,
  check ((kind = 'partial') = (clip_id is null) and (clip_id is null) = (version_id is null)),
  check ((kind = 'final') = (concat is not null)),
  constraint upload_once unique (owner_id, idempotency_key)
);
create index uploads_state on uploads (state, expires_at);
create index uploads_clip on uploads (clip_id);
create index uploads_version on uploads (version_id);
create index uploads_owner on uploads (owner_id, state);

-- What a final upload is joined from, in order. A partial one may be named more than once.
create table upload_sources (
  final_id text not null references uploads(id),
  n bigint not null,
  partial_id text not null references uploads(id),
  primary key (final_id, n)
);
create index upload_sources_partial on upload_sources (partial_id);

create table upload_parts (
  upload_id text not null references uploads(id),
  no bigint not null,
  len bigint not null,
  etag text not null,
  sha256 text not null,
  epoch bigint not null,
  primary key (upload_id, no)
);

-- The tail: what is durable of the part that is still growing, in pieces that follow one another from its start.
create table upload_tails (
  upload_id text not null references uploads(id),
  part_no bigint not null,
  start bigint not null,
  len bigint not null,
  key text not null,
  sha256 text not null,
  epoch bigint not null,
  primary key (upload_id, part_no, start)
);

-- What no row needs any more, to be deleted from the store after the transaction that let go of it: an object, all
-- objects under a prefix (the key ends in a slash), or a multipart upload.
create table object_trash (
  key text not null,
  s3_upload_id text not null default '',
  since bigint not null,
  primary key (key, s3_upload_id)
);
create index object_trash_since on object_trash (since);

-- ---- jobs ------------------------------------------------------------------------------------------------------
create table jobs (
  id text primary key,
  kind text not null,
  subject text not null,
  owner_id text not null,
  priority bigint not null,
  -- owners take turns within a priority; fixed when the job is enqueued
  turn bigint not null,
  state text not null check (state in ('ready', 'leased', 'done', 'dead', 'cancelled')),
  attempt bigint not null,
  max_attempts bigint not null,
  -- attempts up to this one belong to an earlier time that the job was asked for
  anew_after bigint not null default 0,
  run_at bigint not null,
  lease_until bigint,
  token text,
  worker text,
  progress text,
  reason text,
  created_at bigint not null,
  updated_at bigint not null,
  constraint job_once unique (subject, kind)
);
-- Not a partial index: SQLite would not see that `state = 'ready'` lies within `state in (...)`.
create index jobs_queue on jobs (state, priority, turn, id);

-- How every attempt at a job ended, for staff: a job's own row says only what was last. Null: under way.
create table job_attempts (
  job_id text not null references jobs(id) on delete cascade,
  attempt bigint not null,
  worker text not null,
  began_at bigint not null,
  ended_at bigint,
  outcome text check (outcome in ('done', 'failed', 'died', 'postponed', 'handed_back', 'gone', 'cancelled')),
  words text,
  primary key (job_id, attempt)
);

-- ---- review ----------------------------------------------------------------------------------------------------
create table review_tickets (
  id text primary key,
  clip_id text not null references clips(id),
  version_id text not null references clip_versions(id),
  cohort_id text not null references cohorts(id),
  assignment_code text not null,
  state text not null check (state in ('waiting', 'claimed', 'sent', 'cancelled')),
  submitted_at bigint not null,
  due_at bigint not null,
  -- what comes before what among those whose time is not over, see core::review::priority
  priority bigint not null default 0,
  holder_id text references users(id),
  lease_until bigint,
  lease_renewals bigint not null default 0,
  sent_at bigint,
  -- who was told last that it waits, and when the next one is told; each such step is a line in the audit log
  escalated text check (escalated in ('nudge', 'lead', 'county', 'city')),
  escalates_at bigint,
  constraint review_ticket_once unique (version_id)
);
create index review_tickets_queue on review_tickets (cohort_id, state, due_at);
create index review_tickets_clip on review_tickets (clip_id, submitted_at);
create index review_tickets_escalating on review_tickets (escalates_at) where state in ('waiting', 'claimed');
create index review_tickets_held on review_tickets (holder_id, lease_until) where state = 'claimed';

-- Who does not judge this one, and why: a relative, her own village, her own hand in it.
create table review_recusals (
  ticket_id text not null references review_tickets(id),
  mentor_id text not null references users(id),
  reason text not null,
  at bigint not null,
  primary key (ticket_id, mentor_id)
);

create table reviews (
  id text primary key,
  ticket_id text not null references review_tickets(id),
  version_id text not null references clip_versions(id),
  reviewer_id text not null references users(id),
  rubric_version text not null,
  state text not null check (state in ('drafting', 'sent')),
  outcome text check (outcome in ('pass', 'return')),
  summary text not null,
  next_step text not null,
  -- {"topic":4,"hook":null,...}: null is "not scored yet", which is not zero
  scores text not null,
  -- 0 to 100, as it was when sent; null before, and where a failed gate left nothing to score
  total bigint,
  -- {"g_lawful":true,...}: true passes, false fails, absent is "not looked at yet"
  gates text not null,
  -- [{"item_id":"item_...","verdict":"verified"},...]: what the mentor says of earlier versions' open items
  settled text not null,
  draft_rev bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  sent_at bigint,
  constraint review_once unique (ticket_id, reviewer_id)
);
create index reviews_version on reviews (version_id);
create index reviews_reviewer on reviews (reviewer_id, state);

create table feedback_items (
  id text primary key,
  review_id text not null references reviews(id),
  version_id text not null references clip_versions(id),
  t_start_ms bigint not null check (t_start_ms >= 0),
  t_end_ms bigint check (t_end_ms >= t_start_ms),
  kind text not null check (kind in ('praise', 'fix', 'question', 'must')),
  dim text,
  body text not null,
  state text not null check (state in ('draft', 'sent', 'heard', 'trying', 'fixed', 'declined', 'verified', 'again')),
  -- the later version, and the moment in it, where she says it is fixed
  fixed_version_id text references clip_versions(id),
  fixed_at_ms bigint check (fixed_at_ms >= 0),
  -- the later version, and the moment in it, where a mentor looked whether it is: before and after, side by side
  settled_version_id text references clip_versions(id),
  settled_at_ms bigint check (settled_at_ms >= 0),
  settled_by text references users(id),
  settled_at bigint,
  -- something was added, or put otherwise, that she has not heard
  news boolean not null default false,
  created_at bigint not null,
  check ((fixed_version_id is null) = (fixed_at_ms is null))
);
create index feedback_items_version on feedback_items (version_id, t_start_ms);
create index feedback_items_review on feedback_items (review_id);

-- What a mentor put otherwise within a day of sending it; what she had said stays beside it.
create table review_amendments (
  id text primary key,
  review_id text not null references reviews(id),
  -- absent where the summary or the next step was changed
  item_id text references feedback_items(id),
  part text not null check (part in ('summary', 'next_step', 'item')),
  before text not null,
  after text not null,
  at bigint not null,
  check ((part = 'item') = (item_id is not null))
);
create index review_amendments_review on review_amendments (review_id, at);

create table feedback_replies (
  id text primary key,
  item_id text not null references feedback_items(id),
  author_id text not null references users(id),
  body text not null,
  created_at bigint not null
);
create index feedback_replies_item on feedback_replies (item_id, created_at);

-- ---- growth and stars ------------------------------------------------------------------------------------------
create table platform_accounts (
  id text primary key,
  owner_id text not null references users(id),
  platform text not null check (platform in ('douyin', 'kuaishou', 'wechat_channels', 'xiaohongshu', 'wechat_mp', 'weibo')),
  handle text not null,
  opened_on text not null,
  created_at bigint not null,
  constraint platform_account_once unique (platform, handle)
);
create index platform_accounts_owner on platform_accounts (owner_id);

-- Every figure may be absent: missing is not zero.
create table growth_snapshots (
  id text primary key,
  account_id text not null references platform_accounts(id),
  as_of_on text not null,
  window_days bigint not null check (window_days > 0),
  followers bigint check (followers >= 0),
  views bigint check (views >= 0),
  originals bigint check (originals >= 0),
  active_weeks bigint check (active_weeks >= 0),
  lives bigint check (lives >= 0),
  service bigint check (service >= 0),
  column_episodes bigint check (column_episodes >= 0),
  adopted_upward bigint check (adopted_upward >= 0),
  impact_points bigint check (impact_points >= 0),
  evidence_key text not null,
  evidence_type text not null,
  evidence_sha256 text not null,
  entered_by text not null references users(id),
  superseded_by text references growth_snapshots(id),
  created_at bigint not null
);
create index growth_snapshots_account on growth_snapshots (account_id, as_of_on);

create table star_evaluations (
  id text primary key,
  user_id text not null references users(id),
  rule_version text not null,
  input text not null,
  input_sha256 text not null,
  result text not null,
  evaluated_by text not null references users(id),
  evaluated_at bigint not null
);
create index star_evaluations_user on star_evaluations (user_id, evaluated_at);

create table star_awards (
  id text primary key,
  user_id text not null references users(id),
  level bigint not null check (level between 1 and 5),
  evaluation_id text not null references star_evaluations(id),
  rule_version text not null,
  region_code text not null,
  region_path text not null,
  awarded_by text not null references users(id),
  awarded_at bigint not null,
  valid_from text not null,
  valid_to text not null,
  superseded_by text references star_awards(id),
  constraint star_award_once unique (user_id, level, valid_from)
);

create table certificates (
  number text primary key,
  award_id text not null unique references star_awards(id),
  area text not null,
  year bigint not null,
  seq bigint not null,
  holder_name text not null,
  title text not null,
  county text not null,
  issuer text not null,
  issued_on text not null,
  valid_to text not null,
  payload_sha256 text not null,
  state text not null check (state in ('valid', 'revoked', 'replaced')),
  constraint certificate_seq_once unique (area, year, seq)
);

-- ---- audit: append-only and chained by hash ----------------------------------------------------------------------
create table audit_events (
  seq bigint primary key,
  at bigint not null,
  actor_id text,
  action text not null,
  subject text not null,
  detail text not null,
  prev_hash text not null,
  hash text not null
);
create index audit_events_subject on audit_events (subject, seq);

create table audit_head (
  id bigint primary key check (id = 1),
  seq bigint not null,
  hash text not null
);
insert into audit_head (id, seq, hash) values (1, 0, '');

-- ---- hints on how to film --------------------------------------------------------------------------------------
-- What staff have set otherwise than content/coaching.json, for the clips of their region.
create table coaching_changes (
  region_path text not null,
  code text not null,
  muted boolean not null,
  seconds bigint not null,
  -- JSON: the rule's conditions with other numbers
  conditions text not null,
  changed_by text not null references users(id),
  changed_at bigint not null,
  primary key (region_path, code)
);

-- ---- what this installation is ----------------------------------------------------------------------------------
create table installation (
  name text primary key,
  value text not null
);
