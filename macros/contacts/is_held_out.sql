{% macro is_held_out(customer, last_order_date, day) -%}
    {#-
    Drawn by lot once an order day: the next order draws again. md5 is the same on every server
    and in every version.
    -#}
    {%- if not var('hold_out_rate') -%}
    false
    {%- else -%}
    (
        {{ day }} >= '{{ var("hold_out_from") }}'::date
        and {{ draw(customer, last_order_date) }} < {{ var('hold_out_rate') }}
    )
    {%- endif -%}
{%- endmacro %}


{% macro draw(customer, last_order_date) -%}
    (
        'x' || left(md5(
            {{ customer }}.tenant_id::text
            || '/' || {{ customer }}.customer_id::text
            || '/' || {{ iso_date(last_order_date) }}
        ), 7)
    )::bit(28)::integer / 268435456.0
{%- endmacro %}
