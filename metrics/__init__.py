"""Questions to the metrics of models/semantic, which MetricFlow turns into SQL."""
