{% macro move_organizations(mart) -%}
    {#-
    one mart of a daily system: changes are not noticed, so none count as corrected
    #}
    {{ merge_delta(mart, mart.delta) }};
    get diagnostics written = row_count;
    delete from {{ mart.table }} as mart
    where
        {%- if mart.how.day %}
        (
            exists (
                select from {{ mart.delta }} as delta
                where {{ same('mart', 'delta', [mart.key[0], mart.how.day | tojson]) }}
            )
            {%- if mart.scope %}
            {#- an organization without rows today has none in the delta #}
            or exists (
                select from {{ mart.scope.table }} as scope
                where
                    scope.is_due
                    and {{ same('mart', 'scope', mart.scope.key) }}
                    and mart.{{ mart.how.day }} = scope.today
            )
            {%- endif %}
        )
        {%- elif var('refresh_scope') == 'all' %}
        true
        {%- else %}
        exists (
            select from {{ mart.scope.table }} as scope
            where scope.is_due and {{ same('mart', 'scope', mart.scope.key) }}
        )
        {%- endif %}
        and not exists (
            select from {{ mart.delta }} as delta where {{ same('mart', 'delta', mart.key) }}
        );
    get diagnostics removed = row_count;
    {%- if mart.how.keep_days %}
    delete from {{ mart.table }} as mart
    using {{ mart.scope.table }} as scope
    where
        {{ same('mart', 'scope', mart.scope.key) }}
        and mart.{{ mart.how.day }} <= scope.today - {{ mart.how.keep_days }};
    get diagnostics moved = row_count;
    removed := removed + moved;
    {%- endif %}
{%- endmacro %}
