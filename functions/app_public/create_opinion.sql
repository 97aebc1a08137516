/*
 * Adds an opinion to a conversation and casts its author's agree. A seed opinion, which the owner
 * or a moderator puts there to begin with, gets no vote: nobody has said yet that they think so.
 *
 * Two inserts, no update: authors never wait for each other or for voters. Whether the conversation
 * is open is the policies' rule (app_hidden.require_open_conversation), asked before anything is
 * written.
 */
create or replace function app_public.create_opinion(
  conversation_id bigint, content text, is_seed boolean default false
)
  returns app_public.opinion
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_is_seed constant boolean := coalesce(create_opinion.is_seed, false);
  v_content constant text :=
    app_hidden.require_text(create_opinion.content, 'opinion', 1, 2000, 'DL009');
  v_opinion app_public.opinion;
begin
  perform app_hidden.require_open_conversation(create_opinion.conversation_id);
  if v_is_seed then
    perform app_hidden.require_conversation_keeper(create_opinion.conversation_id);
  end if;
  insert into app_public.opinion (conversation_id, author_id, content, is_seed)
    values (create_opinion.conversation_id, v_account_id, v_content, v_is_seed)
    returning * into v_opinion;
  if not v_is_seed then
    insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
      values (v_opinion.id, v_account_id, v_opinion.conversation_id, 'agree');
  end if;
  return v_opinion;
end
$$;

comment on function app_public.create_opinion(bigint, text, boolean) is
  'Adds an opinion to a conversation. Its author agrees with it, except to a seed opinion.';

grant execute on function app_public.create_opinion(bigint, text, boolean)
  to app_anonymous, app_account, app_moderator;
