{% macro in_type_of_marts(column, columns) -%}
    {#-
    Only conversions of PostgreSQL itself, or format(): a cast could be one that the
    table's owner has defined. Dates are those of UTC, whatever the session's time zone.
    -#}
    {%- set name = column.split('.')[-1] -%}
    {%- set base_type = columns.get(name, {}).base_type -%}
    {%- if name in ['account_type', 'risk_status'] -%}
        {%- if columns.get(name, {}).type_name in [none, 'text'] -%}
            {{ column }}
        {%- elif base_type == 'char' -%}
            rtrim({{ column }})
        {%- else -%}
            case when {{ column }} is not null then format('%s', {{ column }}) end
        {%- endif -%}
    {%- elif name == 'average_order_interval_days' -%}
        {%- if base_type == 'int4' -%}
            {{ column }}::integer
        {%- elif base_type in ['int2', 'int8', 'numeric', 'float4', 'float8'] -%}
            case
                when {{ column }} between -2147483648 and 2147483647
                    then {{ column }}::integer
            end
        {%- elif base_type in ['text', 'char'] -%}
            case
                when format('%s', {{ column }}) ~ '^ *\d{1,9} *$'
                    then format('%s', {{ column }})::integer
            end
        {%- else -%}
            null::integer
        {%- endif -%}
    {%- elif base_type in ['date', 'timestamp'] -%}
        {{ column }}::date
    {%- elif base_type == 'timestamptz' -%}
        ({{ column }} at time zone 'UTC')::date
    {%- elif base_type in ['text', 'char'] -%}
        {#- no cast from text: one word that is not a date would stop every refresh -#}
        case
            when
                format('%s', {{ column }})
                ~ '^[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])( *$|[T ]\d)'
                then
                    make_date(
                        left(format('%s', {{ column }}), 4)::integer,
                        substr(format('%s', {{ column }}), 6, 2)::integer,
                        1
                    ) + substr(format('%s', {{ column }}), 9, 2)::integer - 1
        end
    {%- else -%}
        null::date
    {%- endif -%}
{%- endmacro %}
