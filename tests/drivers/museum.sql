-- One of everything that pg_dump looks at, with enough rows to be worth copying.
create schema wing;
create type wing.mood as enum ('calm', 'loud');
create domain wing.price as numeric(10, 2) check (value >= 0);
create sequence wing.tickets start 100;
create function wing.next_ticket() returns text language sql as $$ select 'T' || nextval('wing.tickets') $$;
create table wing.room (id int primary key, name text not null, mood wing.mood default 'calm');
create table wing.exhibit (
	id int generated always as identity primary key,
	room int not null references wing.room on delete cascade,
	title text not null,
	worth wing.price,
	tags text[] default '{}',
	data jsonb,
	picture bytea,
	seen timestamptz,
	twice numeric generated always as (worth * 2) stored
);
create table wing.visit (at date not null, ticket text) partition by range (at);
create table wing.visit_2023 partition of wing.visit for values from ('2023-01-01') to ('2024-01-01');
create table wing.visit_2024 partition of wing.visit for values from ('2024-01-01') to ('2025-01-01');
create index on wing.exhibit (title text_pattern_ops) where worth > 10;
create index on wing.exhibit using gin (tags);
create view wing.treasures as select title, worth from wing.exhibit where worth > 500;
create materialized view wing.per_room as select room, count(*) from wing.exhibit group by 1;
create function wing.stamp() returns trigger language plpgsql as $$ begin new.seen := '2024-01-01 00:00Z'; return new; end $$;
create trigger stamp before insert on wing.exhibit for each row execute function wing.stamp();
create rule nothing_is_lost as on delete to wing.room do instead nothing;
comment on table wing.exhibit is 'It''s "on show"; with a \ in it';
insert into wing.room select n, 'room ' || n, case n % 2 when 0 then 'calm' else 'loud' end::wing.mood from generate_series(1, 20) n;
insert into wing.exhibit (room, title, worth, tags, data, picture)
	select 1 + n % 20, E'title\twith\ttabs \\ ☃ ' || n, n, array['a' || n % 7, null], jsonb_build_object('n', n), decode(md5(n::text), 'hex')
	from generate_series(1, 20000) n;
insert into wing.visit select date '2023-01-01' + n % 700, wing.next_ticket() from generate_series(1, 3000) n;
refresh materialized view wing.per_room;
select lo_from_bytea(4242, decode(repeat('00ff', 3000), 'hex'));
analyze;
