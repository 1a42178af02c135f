-- A seed of this name in a project of your own has rows beside ours, which has none.
select * from {{ ref('message_recipients') }}
