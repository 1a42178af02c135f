-- Helpers that draw the demo data of all systems. Settings: demo.customers,
-- demo.tenants, demo.years, demo.seed, and demo.until, the instant at which the data
-- ends. The same settings give the same rows.

create or replace function pg_temp.chance(key bigint, topic text)
returns double precision
language sql immutable parallel safe as $$
    -- uniform between 0 and 1, always the same for the same key, topic and seed
    select (
        hashint8extended(key, hashtext(topic) + current_setting('demo.seed')::bigint)
        & 1048575
    ) / 1048576.0
$$;

create or replace function pg_temp.id(entity text, key text)
returns uuid
language sql immutable parallel safe as $$
    select md5(entity || current_setting('demo.seed') || ':' || key)::uuid
$$;

create temp table demo on commit drop as
select
    current_setting('demo.customers')::integer as customers,
    current_setting('demo.tenants')::integer as tenants,
    current_setting('demo.years')::integer * 365 as days,
    current_setting('demo.until')::timestamptz as until_at,
    date_trunc('day', current_setting('demo.until')::timestamptz, 'UTC') as until_day;
