-- For auth_query without a superuser: a role that can do nothing but call one function, and
-- that function, which tells the secret of a role that may log in and whose password is valid.
-- Run it as a superuser, once in each database that auth_query asks (auth_dbname); it may be
-- run again.  Then:
--
--     \password pgsluice_auth                            in psql, and the same into auth_file
--     auth_user  = pgsluice_auth
--     auth_query = select name, secret from pgsluice.auth_lookup($1)
--
-- To keep superusers from logging in through the pooler add "and not r.rolsuper" below.
do $$
begin
	if not exists (select from pg_catalog.pg_roles where rolname = 'pgsluice_auth') then
		create role pgsluice_auth login noinherit connection limit 20;
	end if;
end
$$;

create schema if not exists pgsluice;
revoke all on schema pgsluice from public;
grant usage on schema pgsluice to pgsluice_auth;

create or replace function pgsluice.auth_lookup(role_name text, out name text, out secret text)
	returns setof record
	language sql
	stable
	security definer
	set search_path = pg_catalog, pg_temp
as $$
	select r.rolname::text,
	       case when r.rolvaliduntil < pg_catalog.now() then null else r.rolpassword end
	from pg_catalog.pg_authid r
	where r.rolname = role_name
	  and r.rolcanlogin
$$;

revoke all on function pgsluice.auth_lookup(text) from public;
grant execute on function pgsluice.auth_lookup(text) to pgsluice_auth;
