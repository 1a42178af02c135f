-- One customer's orders as the application holds them now, and what each counts in.
select * from analytics.explain_risk_status(%(tenant)s, %(customer)s)
