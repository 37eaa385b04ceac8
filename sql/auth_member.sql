-- Is role $1 a member of role $2, directly or through others?  A superuser is a member only of
-- what he was made a member of, as in pg_hba.conf.
with recursive groups(oid) as (
	select m.roleid
	from pg_catalog.pg_auth_members m
	join pg_catalog.pg_roles u on u.oid = m.member
	where u.rolname = $1::text::name
	union
	select m.roleid
	from pg_catalog.pg_auth_members m
	join groups g on g.oid = m.member
)
select exists (
	select 1 from groups g join pg_catalog.pg_roles r on r.oid = g.oid
	where r.rolname = $2::text::name
)
