{% macro check_settings() %}
    {#- refuses a run whose vars make no sense, before anything is built -#}
    {%- set problems = [] -%}
    {%- set whole_numbers = {
        'due_soon_days': 0,
        'urgent_after_days': 1,
        'critical_after_days': 1,
        'source_stale_after_hours': 1,
    } -%}
    {%- for name, least in whole_numbers.items() -%}
        {%- set value = var(name) -%}
        {%- if value is not integer or value is boolean or value < least -%}
            {%- do problems.append([name, 'a whole number from ' ~ least]) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not problems and var('critical_after_days') <= var('urgent_after_days') -%}
        {%- do problems.append(['critical_after_days', 'over urgent_after_days']) -%}
    {%- endif -%}
    {%- if var('orders_enabled') is not boolean -%}
        {%- do problems.append(['orders_enabled', 'true or false']) -%}
    {%- endif -%}
    {%- if var('refresh_scope') not in ['all', 'changed'] -%}
        {%- do problems.append(['refresh_scope', 'all or changed']) -%}
    {%- endif -%}
    {%- if var('protected_account_types') is not sequence
        or var('protected_account_types') is string -%}
        {%- do problems.append(['protected_account_types', 'a list']) -%}
    {%- endif -%}

    {%- set lines = [] -%}
    {%- for name, allowed in problems -%}
        {%- set line = "setting " ~ name ~ " is " ~ var(name) ~ ", must be " ~ allowed -%}
        {%- do lines.append(line) -%}
    {%- endfor -%}
    {%- if lines -%}
        {%- do exceptions.raise_compiler_error(lines | join('; ')) -%}
    {%- endif -%}
{% endmacro %}
