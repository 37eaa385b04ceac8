-- A partitioned table, partitions of partitions, indexes on the parent and on each part alone.
create extension if not exists pg_trgm; create extension if not exists btree_gist;
create type mood as enum ('sad', 'ok', 'happy');
create domain code as varchar(20);
create table t(id int not null, day date not null, a int, b bigint, txt text, vc varchar(30), ch char(10), low text, tz timestamptz, ts timestamp, j jsonb, tags text[], r int4range, num numeric, m mood, co code, u uuid, act boolean, ip inet, f real, s smallint, cc text collate "C", mo money, iv interval, pa int, c int, d int) partition by range (day);
create table t_2020 partition of t for values from ('2020-01-01') to ('2021-01-01') partition by hash (id);
create table t_2020_0 partition of t_2020 for values with (modulus 2, remainder 0);
create table t_2020_1 partition of t_2020 for values with (modulus 2, remainder 1);
create table t_2021 partition of t for values from ('2021-01-01') to ('2022-01-01');
create table t_rest partition of t default;
insert into t select g, date '2020-01-01' + g % 1000, g, g, 'k' || g, 'v' || g, 'c' || g, 'L' || g, timestamptz '2020-01-01' + g * interval '1 min', timestamp '2020-01-01' + g * interval '1 min', jsonb_build_object('k', g), array['t' || g], int4range(g, g + 5), g, (array['sad','ok','happy'])[1 + g % 3]::mood, 'c' || g, md5(g::text)::uuid, g % 50 = 0, inet '10.0.0.0' + g, g, g % 30000, 'k' || g, g::numeric::money, g * interval '1 min', g, g, g from generate_series(1, 6000) g;
create index on t (id); create index on t (day); create index on t (a, b); create index on t (b);
create index on t (txt); create index on t (vc varchar_pattern_ops); create index on t (ch);
create index on t (lower(low)); create index on t (low); create index on t (tz); create index on t (ts);
create index on t using gin (j); create index on t using gin (tags); create index on t using gist (r);
create index on t (num); create index on t (m); create index on t (co); create index on t using hash (u); create index on t (act); create index on t (ip); create index on t (f); create index on t (s); create index on t (cc); create index on t (mo); create index on t (iv);
create index on t (pa) where pa > 100;
create index on t_2020_0 (c); create index on t_2020_1 (c); create index on t_2021 (c); create index on t_rest (c);
create index on t ((d % 10)); create index on t (d);
