{% macro columns_of_input(name) -%}
    {#-
    The columns that an input must give. A missing optional column is NULL; a missing
    required one ends the run. So does an unknown one, because it may be a misspelled
    optional column.
    -#}
    {%- set wanted = columns_wanted_of(name) -%}
    {%- set given = columns_given_by(name) -%}
    {%- if given -%}
        {%- set wrong = [] -%}
        {%- for column in wanted.values()
            if column.name not in given and not column.config.meta.optional
        -%}
            {%- do wrong.append(
                name ~ ' lacks the column ' ~ column.name ~ ' (' ~ column.data_type ~ '): '
                ~ column.description | trim | replace('\n', ' ')
            ) -%}
        {%- endfor -%}
        {%- for column in given if column not in wanted -%}
            {%- do wrong.append(
                name ~ ' has the unknown column ' ~ column ~ '; its columns are '
                ~ wanted | join(', ')
            ) -%}
        {%- endfor -%}
        {%- if wrong -%}
            {%- do exceptions.raise_compiler_error(wrong | join('; ')) -%}
        {%- endif -%}
    {%- endif -%}
    {%- for column in wanted.values() %}
        {%- if given and column.name not in given %}
            null::{{ column.data_type }} as {{ column.name }}
        {%- else %}
            {{ column.name }}
        {%- endif -%}
        {{ ',' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{% macro columns_given_by(name) -%}
    {#- the columns that an input has; empty if nothing is looked up -#}
    {%- set input = input_as_built(name) -%}
    {%- if input is none -%} {{ return([]) }} {%- endif -%}
    {{ return(run_query(
        "select attname from pg_attribute where attrelid = to_regclass('" ~ input ~ "')"
        ~ " and attnum > 0 and not attisdropped order by attnum"
    ).columns[0].values() | list) }}
{%- endmacro %}


{% macro input_as_built(name) -%}
    {#-
    The relation of an input; none in a unit test, which has its own rows, while the
    system is switched off, before the input is built, and in the transaction of the
    command `check`.
    -#}
    {%- set input = ref(name) -%}
    {%- if
        not execute
        or input.is_cte
        or not is_switched_on(model)
        or var('checks_inputs', false)
    -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(load_relation(input)) }}
{%- endmacro %}
