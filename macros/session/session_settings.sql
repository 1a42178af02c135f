{% macro session_settings() %}
    values
    -- every row counts: a policy that would hide rows is an error
    ('row_security', 'off'),
    -- limits for interactive users must not stop a refresh halfway
    ('statement_timeout', '0'),
    ('lock_timeout', '0'),
    ('idle_session_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'),
    ('transaction_timeout', '0'),
    -- each statement sees committed rows, and no order of the application waits for it
    ('default_transaction_isolation', 'read committed'),
    ('default_transaction_read_only', 'off'),
    ('default_transaction_deferrable', 'off'),
    -- the text format of instants, numbers and bytes
    ('timezone', 'UTC'),
    ('datestyle', 'ISO, MDY'),
    ('intervalstyle', 'postgres'),
    ('extra_float_digits', '1'),
    ('bytea_output', 'hex'),
    ('standard_conforming_strings', 'on'),
    ('backslash_quote', 'safe_encoding'),
    ('quote_all_identifiers', 'off'),
    -- settings that change the meaning of an expression
    ('transform_null_equals', 'off'),
    ('array_nulls', 'on'),
    -- we name everything with its schema, and nothing precedes PostgreSQL's own schema
    (
        'search_path',
        case
            when current_setting('search_path') in ('', '""') then 'pg_catalog'
            when not starts_with(current_setting('search_path'), 'pg_catalog')
                then 'pg_catalog, ' || current_setting('search_path')
            else current_setting('search_path')
        end
    ),
    -- tables use heap, and views can be read
    ('default_table_access_method', 'heap'),
    ('restrict_nonsystem_relation_kind', ''),
    -- all that an index finds
    ('gin_fuzzy_search_limit', '0'),
    -- a query whose client is gone ends within a second
    ('client_connection_check_interval', '1s'),
    -- sorts of this size are the fastest, and compiling takes longer than it saves
    ('work_mem', '16MB'),
    ('jit', 'off')
{% endmacro %}
