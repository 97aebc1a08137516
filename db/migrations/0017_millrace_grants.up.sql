/*
 * What a declaration has granted to the engine's owner on objects of somebody else, so that the end
 * of the last derivation that needs it takes it back, and nothing that was granted before.
 */
create table millrace.granted (
  schema_id oid not null,
  relation_id oid not null,
  privilege text not null,
  primary key (schema_id, relation_id, privilege)
);

comment on table millrace.granted is
  'Privileges that declarations have granted to the engine''s owner, to be revoked when nothing '
  'needs them any more.';
comment on column millrace.granted.schema_id is 'The schema that is concerned; 0 for a relation.';
comment on column millrace.granted.relation_id is 'The relation that is concerned; 0 for a schema.';
comment on column millrace.granted.privilege is 'usage, create, select or update.';
