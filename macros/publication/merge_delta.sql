{% macro merge_delta(mart, delta) -%}
    {%- set columns = mart.node.columns.keys() | map('tojson') | list -%}
    {%- set stamps = mart.how.get('stamps', {}) -%}
    {%- set stamped = [stamps.inserted, stamps.changed, stamps.written] -%}
    {%- set stamped = stamped | select | map('tojson') | list -%}
    {%- set compared = columns | reject('in', mart.key + stamped) | list -%}
    {%- set ignored = stamps.get('unchanged_by', []) | map('tojson') | list -%}
    merge into {{ mart.table }} as mart
    using {{ delta }} as delta
    on {{ same('mart', 'delta', mart.key) }}
    when matched and (
        {{ differ('mart', 'delta', compared) }}
    ) then update set
        {%- if stamps.changed %}
        {{ stamps.changed }} = case
            when
                {{ differ('mart', 'delta', compared | reject('in', ignored) | list) }}
                then delta.{{ stamps.changed }}
            else mart.{{ stamps.changed }}
        end,
        {%- endif %}
        {%- if stamps.written %}
        {{ stamps.written }} = delta.{{ stamps.written }},
        {%- endif %}
        {%- for column in compared %}
        {{ column }} = delta.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    when not matched then
        insert ({{ columns | join(', ') }})
        values (delta.{{ columns | join(', delta.') }})
{%- endmacro %}
