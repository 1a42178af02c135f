-- One customer's bookings and payments as the application holds them now, and what each
-- counts in.
select * from analytics.explain_customer_analytics(%(organization)s, %(visitor)s)
