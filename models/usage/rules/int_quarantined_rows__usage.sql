{%- set keys = {
    'users': 'user_id',
    'cases': 'case_id',
    'investigations': 'investigation_id',
    'campaigns': 'campaign_id',
    'campaign_assignments': 'assignment_id',
    'feature_adoptions': 'feature_key',
    'support_tickets': 'ticket_id',
} -%}

-- A refresh of one organization lists the rows that it leaves out of this organization.
with organizations as (
    select * from {{ ref('stg_usage__organizations') }}
),

{% for table in keys %}
    {{ table }} as (
        select given.* from {{ ref('stg_usage__' ~ table) }} as given
        {{ in_scope('given', ref('int_usage_organizations'), ['organization_id']) }}
    ),

{% endfor %}
-- for every organization, whichever is refreshed
all_campaigns as (
    select
        organization_id,
        campaign_id
    from {{ ref('stg_usage__campaigns') }}
),

judged as (
    select
        'organizations' as "table",
        organization_id::text as key,
        organization_id::text as tenant,
        quarantine_reason as reason
    from organizations
    where
        not is_valid
        and {{ is_asked_for('organization_slug') }}
    {%- for table, key in keys.items() %}

        union all

        {{ rows_left_out(
            table, key,
            'organizations', ['organization_id'], 'organization_id_unknown'
        ) }}
    {%- endfor %}

    union all

    select
        'campaign_assignments' as "table",
        campaign_assignments.assignment_id::text as key,
        campaign_assignments.organization_id::text as tenant,
        'campaign_id_of_another' as reason
    from campaign_assignments
    inner join organizations
        on
            campaign_assignments.organization_id = organizations.organization_id
            and organizations.is_valid
    where
        campaign_assignments.is_valid
        and {{ is_of_anothers_campaign('campaign_assignments', 'all_campaigns') }}
),

kept as (
    {{ rows_that_lost_dates(
        'campaigns', 'campaign_id', 'organizations', ['organization_id']
    ) }}
),

final as (
    {{ quarantine_log('usage', 'judged', 'kept') }}
)

select * from final
