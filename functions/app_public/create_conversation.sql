/* The caller becomes its owner, who may close and reopen it and put seed opinions into it. */
create or replace function app_public.create_conversation(topic text, description text default '')
  returns app_public.conversation
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_conversation app_public.conversation;
begin
  insert into app_public.conversation (owner_id, topic, description)
    values (
      v_account_id,
      app_hidden.require_text(create_conversation.topic, 'topic', 1, 300, 'DL009'),
      app_hidden.require_text(create_conversation.description, 'description', 0, 20000, 'DL009')
    )
    returning * into v_conversation;
  return v_conversation;
end
$$;

comment on function app_public.create_conversation(text, text) is 'Begins a conversation.';

grant execute on function app_public.create_conversation(text, text)
  to app_anonymous, app_account, app_moderator;
