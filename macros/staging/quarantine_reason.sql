{% macro quarantine_reason(
    key,
    copy_number,
    required=[],
    time_zones=[],
    timestamps=[],
    amounts=[],
    cents=[],
    known_values={},
    ranges={}
) -%}
    {#- the cast changes no amount; for another type the contract reports the error -#}
    case
        {%- for column in [key] + required %}
        when {{ column }} is null then '{{ column }}_missing'
        {%- endfor %}
        {%- if copy_number | trim != '1' %}
        when {{ copy_number }} > 1 then '{{ key }}_duplicate'
        {%- endif %}
        {%- for column in time_zones %}
        when
            lower({{ column }}) not in (
                select lower(name) from pg_catalog.pg_timezone_names
            )
            then '{{ column }}_unknown'
        {%- endfor %}
        {%- for column in timestamps %}
        when not {{ is_plausible(column) }}
            then '{{ column }}_out_of_range'
        {%- endfor %}
        {%- for column in amounts %}
        when not {{ is_amount(column ~ '::numeric') }}
            then '{{ column }}_out_of_range'
        {%- endfor %}
        {%- for column in cents %}
        {#- as an amount; a bigint holds the sum of 90,000 such rows #}
        when not {{ column }} between -99999999999999 and 99999999999999
            then '{{ column }}_out_of_range'
        {%- endfor %}
        {%- for column, (least, most) in ranges.items() %}
        when
            {{ column }} < {{ least }}
            {%- if most is not none %}
            or {{ column }} > {{ most }}
            {%- endif %}
            then '{{ column }}_out_of_range'
        {%- endfor %}
        {%- for column, values in known_values.items() %}
        when {{ column }} is null or {{ column }} not in ('{{ values | join("', '") }}')
            then '{{ column }}_unknown'
        {%- endfor %}
    end
{%- endmacro %}
