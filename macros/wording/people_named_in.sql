{% macro people_named_in(people) -%}
    {#- an array of what they are known by, each once; NULL for nobody -#}
    (
        select jsonb_agg(distinct lower(named.person))
        from jsonb_array_elements({{ people }}) as entry (value)
        cross join lateral (
            values (
                coalesce(
                    {{ trimmed("entry.value ->> 'email'") }},
                    {{ trimmed("entry.value ->> 'id'") }},
                    {{ trimmed("entry.value ->> 'name'") }},
                    {{ trimmed("entry.value #>> '{}'") }}
                )
            )
        ) as named (person)
        where named.person is not null
    )
{%- endmacro %}
