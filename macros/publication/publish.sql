{% macro publish(marts) -%}
{#-
One block that moves these marts to the rows of their deltas: inserts and updates what
differs, deletes what is gone, and logs both. It is one statement, so readers see all
marts as they were or all as they are. A mart's delta is the model it selects from. The
first mart is the one that holds the as_of of all.
-#}
{%- if execute %}
do $publish$
declare
    held timestamptz;
    written bigint;
    removed bigint;
begin
    select max(as_of) into held from {{ marts[0] }};
    {%- for mart in marts %}
    {%- set node = graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | selectattr('alias', 'equalto', mart.identifier) | first %}
    {%- set delta = graph.nodes[node.depends_on.nodes[0]].relation_name %}
    {%- set columns = node.columns.keys() | map('tojson') | list %}
    {%- set key = node.config.unique_key | map('tojson') | list %}
    {%- set stamps = node.config.meta.get('stamps', {}) %}
    {%- set stamped = stamps.values() | map('tojson') | list %}
    {%- set compared = columns | reject('in', key + stamped) | list %}
    {%- set ignored = node.config.meta.get('not_business', []) | map('tojson') | list %}

    -- {{ mart.identifier }}
    merge into {{ mart }} as mart
    using {{ delta }} as delta
    on {{ same('mart', 'delta', key) }}
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
        values (delta.{{ columns | join(', delta.') }});
    get diagnostics written = row_count;

    -- every row of the delta is there now: a row more than that is one too many
    removed := 0;
    if (select count(*) from {{ mart }}) > (select count(*) from {{ delta }}) then
        delete from {{ mart }} as mart
        where not exists (
            select from {{ delta }} as delta where {{ same('mart', 'delta', key) }}
        );
        get diagnostics removed = row_count;
    end if;

    insert into {{ this }} (
        run_id, as_of, held_as_of, refresh_scope, mart, rows_written, rows_removed
    ) values (
        '{{ var("run_id") or invocation_id }}',
        {{ as_of() }},
        held,
        '{{ var("refresh_scope") }}',
        '{{ mart.identifier }}',
        written,
        removed
    );

    -- with the first rows come the indexes: built at once, not row by row
    if to_regclass('{{ mart.schema }}.{{ mart.identifier }}__key') is null then
        create unique index {{ mart.identifier }}__key
        on {{ mart }} ({{ key | join(', ') }});
        {%- for index in node.config.get('indexes', []) %}
        create index {{ mart.identifier }}__{{ index.columns | join('__') }}
        on {{ mart }} {{- ' using ' ~ index.type if index.type }}
        ({{ index.columns | join(', ') }});
        {%- endfor %}
    end if;
    {%- endfor %}
end
$publish$
{%- endif %}
{%- endmacro %}


{% macro same(left, right, columns) -%}
    {%- for column in columns -%}
        {{ left }}.{{ column }} = {{ right }}.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{% macro differ(left, right, columns) -%}
    {%- for column in columns %}
        {{ left }}.{{ column }} is distinct from {{ right }}.{{ column }}
        {{- ' or' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
