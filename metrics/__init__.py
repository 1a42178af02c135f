"""Questions to the metrics of models/<system>/metrics, which MetricFlow turns into SQL."""
