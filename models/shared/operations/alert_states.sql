with final as (
    {% for states in [
        'customer_alert_states',
        'tenant_alert_states',
        'organization_alert_states',
        'account_alert_states',
    ] %}
        -- by name: a view that has grown has its new columns last
        select
            kind,
            subject_kind,
            tenant_id,
            tenant_slug,
            subject,
            is_on,
            message,
            details
        from {{ ref(states) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from final
