-- The tokens of the API. The refresher owns them; no other role of ours may read them.
create table if not exists operations.api_tokens (
    token_id text primary key,
    token_name text not null,
    secret_hash bytea not null,
    role_name text not null,
    may_start boolean not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    withdrawn_at timestamptz
);
comment on table operations.api_tokens is
'customer_health: One row per token of `customer-health api-tokens create`: its hash,
the role it reads as, whether it may start refreshes, and when it expires.';
create unique index if not exists api_tokens__name
on operations.api_tokens (token_name) where withdrawn_at is null;
