{{ config(tags=['settings']) }}

-- States: every cell of the seed of recipients has an allowed value.
-- Matters: always; otherwise a message could go nowhere, or to the wrong people.
-- To resolve: correct the row of input_shared__message_recipients that the test names.
with recipients as (
    select * from {{ ref('int_message_recipients') }}
),

judged as (
    select
        *,
        case
            when tenant_slug is null then 'tenant_slug must be a slug or default'
            when
                tenant_slug = 'default' and coalesce(sales_rep_id != 'default', true)
                then 'sales_rep_id must be default where tenant_slug is'
            when channel not in ('mail', 'slack', 'teams', 'mattermost', 'json')
                then 'channel must be mail, slack, teams, mattermost or json'
            when
                channel = 'mail' and address is null and sales_rep_id is null
                then 'address must not be empty where sales_rep_id is'
            when channel = 'mail' and not {{ is_mail_address('address') }}
                then 'address must be one e-mail address'
            when
                channel != 'mail' and coalesce(address !~ '^[a-z][a-z0-9_]*$', true)
                then
                    'address must be the NAME, in small letters, of an environment'
                    || ' variable MESSAGE_URL_NAME that holds the address'
            when
                not coalesce(quiet_from ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$', true)
                or not coalesce(quiet_to ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$', true)
                then 'quiet_from and quiet_to must be times such as 20:00'
            when num_nulls(quiet_from, quiet_to) = 1
                then 'quiet_from and quiet_to must both be there, or none'
            when is_unsubscribed not in ('true', 'false')
                then 'is_unsubscribed must be true, false or empty'
            when
                count(*) over (
                    partition by tenant_slug, sales_rep_id, channel, address
                ) > 1
                then 'two rows for one place: only one pair of quiet hours is possible'
        end as problem
    from recipients
)

select * from judged
where problem is not null
