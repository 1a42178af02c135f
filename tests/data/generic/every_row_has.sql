{% test every_row_has(model, expression) %}
-- The expression is true in every row; NULL is not true.
select *
from {{ ours(model) }}
where ({{ expression }}) is not true
{% endtest %}
