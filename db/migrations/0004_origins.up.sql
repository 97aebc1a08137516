/*
 * Where imported conversations and opinions came from, as app_private.account_origin says it of
 * accounts. An importer finds its rows again by these names, so that an import can be repeated.
 *
 * What the origin said last is kept beside the name: an import carries over what has changed there
 * since, and leaves alone what was decided here.
 */
create table app_private.conversation_origin (
  conversation_id bigint primary key references app_public.conversation (id) on delete cascade,
  external_id text not null,
  constraint conversation_origin_external_id_key unique (external_id)
);

comment on table app_private.conversation_origin is
  'Where a conversation came from: makes an import repeatable.';
comment on column app_private.conversation_origin.conversation_id is 'The conversation.';
comment on column app_private.conversation_origin.external_id is
  'Its name at the origin, prefixed with the origin''s.';

create table app_private.opinion_origin (
  opinion_id bigint primary key references app_public.opinion (id) on delete cascade,
  external_id text not null,
  hidden boolean not null default false,
  absent_since timestamptz,
  constraint opinion_origin_external_id_key unique (external_id)
);

comment on table app_private.opinion_origin is
  'Where an opinion came from, and what was said of it there when it was last imported.';
comment on column app_private.opinion_origin.opinion_id is 'The opinion.';
comment on column app_private.opinion_origin.external_id is
  'Its name at the origin, prefixed with the conversation''s.';
comment on column app_private.opinion_origin.hidden is
  'Whether the origin''s moderators had rejected it.';
comment on column app_private.opinion_origin.absent_since is
  'Since when it is deleted here because the origin has it no more.';

alter table app_private.conversation_origin enable row level security;
alter table app_private.opinion_origin enable row level security;
