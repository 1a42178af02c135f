{% macro is_held_out(customer, last_order_date, day) -%}
    {#-
    Drawn at random once per order day: the next order draws again. md5 is the same on
    every server and in every version.
    -#}
    {%- if not var('hold_out_rate') -%} false
    {%- else -%}
    coalesce(
        {{ day }} >= {{ hold_out_from() }}
        and (
            'x' || left(md5(
                {{ customer }}.tenant_id::text
                || '/' || {{ customer }}.customer_id::text
                || '/' || {{ iso_date(last_order_date) }}
            ), 7)
        )::bit(28)::integer < {{ var('hold_out_rate') }} * 2 ^ 28,
        false
    )
    {%- endif -%}
{%- endmacro %}
