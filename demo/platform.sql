-- Demo data of the platform system: organizations that use a product more and more,
-- less and less, or no longer.

insert into platform.organizations (id, slug, name, time_zone, created_at, updated_at)
select
    pg_temp.id('platform organization', names.number::text),
    names.slug,
    initcap(replace(names.slug, '-', ' ')),
    (array['Europe/Berlin', 'America/New_York', 'Australia/Sydney'])[
        (names.number - 1) % 3 + 1
    ],
    demo.until_day - make_interval(days => demo.days),
    demo.until_day - make_interval(days => demo.days)
from demo
cross join (
    values
    (1, 'alder-bank'), (2, 'birch-insurance'), (3, 'cedar-health'),
    (4, 'dogwood-energy'), (5, 'elm-logistics'), (6, 'fir-telecom'),
    (7, 'ginkgo-retail'), (8, 'hazel-start')
) as names (number, slug);
