"""Query the metrics in models/<system>/metrics; MetricFlow generates the SQL."""
