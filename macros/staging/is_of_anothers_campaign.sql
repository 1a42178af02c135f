{% macro is_of_anothers_campaign(assignment, campaigns) -%}
    {#- the id is known, and of other organizations only; ids that nobody knows are not theirs -#}
    {{ assignment }}.campaign_id in (select campaign_id from {{ campaigns }})
    and (
        ({{ assignment }}.organization_id, {{ assignment }}.campaign_id)
        in (select organization_id, campaign_id from {{ campaigns }})
    ) is not true
{%- endmacro %}
