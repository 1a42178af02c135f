{% macro is_of_anothers_campaign(assignment, campaigns) -%}
    {#- the id is known, but only in other organizations; unknown ids do not count -#}
    {{ assignment }}.campaign_id in (
        select any_of.campaign_id from {{ campaigns }} as any_of
        where any_of.campaign_id is not null
    )
    and (
        ({{ assignment }}.organization_id, {{ assignment }}.campaign_id)
        in (select own.organization_id, own.campaign_id from {{ campaigns }} as own)
    ) is not true
{%- endmacro %}
