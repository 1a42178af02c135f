{% test unique_key(model, columns) %}
-- No two rows have the same key, and no part of it is missing.
select
    {{ columns | join(', ') }},
    count(*) as rows_count
from {{ ours(model) }}
group by {{ columns | join(', ') }}
having count(*) > 1 or num_nulls({{ columns | join(', ') }}) > 0
{% endtest %}
