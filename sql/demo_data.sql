-- Rows for the demo's shop, 400,000 of them, the same ones every time.  Skewed as
-- real ones are: most orders come from few users, most events are page views, and
-- one country has most of the users.
select setseed(0.42);

insert into users (email, name, country, created_at)
select 'user' || n || '@example.org', 'User ' || n,
       (array['US','US','US','US','DE','DE','FR','JP','BR','CH'])[1 + floor(random() * 10)::int],
       timestamptz '2023-01-01' + n * interval '50 minutes'
from generate_series(1, 20000) n;

insert into products (sku, name, category, price_cents)
select 'SKU-' || lpad(n::text, 6, '0'), 'Product ' || n,
       (array['books','music','garden','toys','tools'])[1 + floor(random() * random() * 5)::int],
       100 + floor(random() * random() * 50000)::int
from generate_series(1, 2000) n;

insert into orders (user_id, status, total_cents, created_at)
select 1 + floor(random() ^ 3 * 20000)::bigint,
       case when random() < 0.93 then 'done' when random() < 0.7 then 'open' else 'refunded' end,
       0, timestamptz '2023-01-01' + n * interval '15 minutes'
from generate_series(1, 60000) n;

insert into items (order_id, product_id, quantity, price_cents)
select o.id, 1 + floor(random() ^ 2 * 2000)::bigint, 1 + floor(random() * 3)::int,
       100 + floor(random() * 5000)::int
from orders o, generate_series(1, 1 + (o.id % 5)::int) n;

update orders o set total_cents = i.total
from (select order_id, sum(quantity * price_cents) as total from items group by order_id) i
where i.order_id = o.id;

insert into events (user_id, kind, at, payload)
select 1 + floor(random() ^ 2 * 20000)::bigint,
       case when random() < 0.8 then 'view' when random() < 0.7 then 'search' else 'cart' end,
       timestamptz '2024-06-01' + n * interval '1 minute',
       jsonb_build_object('page', '/p/' || floor(random() * 2000)::int)
from generate_series(1, 150000) n;

vacuum analyze;
