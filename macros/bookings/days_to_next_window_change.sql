{% macro days_to_next_window_change(counted) -%}
    {#- a row leaves the last 30 days when it is 30 days ago, and so on -#}
    least(
        {%- for window in [[0, 30], [0, 90], [90, 180], [0, 365]] %}
        {{ window[1] }} - max(days_ago) filter (
            where {{ counted }} and days_ago >= {{ window[0] }} and days_ago < {{ window[1] }}
        ) {{- ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
