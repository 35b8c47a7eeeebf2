
ALTER TABLE ws_metrics SET (timescaledb.compress, timescaledb.compress_orderby = 'window_timestamp DESC',
  timescaledb.compress_segmentby = 'metric_name, tenant_id, region, channel_type');
SELECT add_compression_policy('ws_metrics', INTERVAL '7 days', if_not_exists => true);

CREATE MATERIALIZED VIEW IF NOT EXISTS ws_metrics_hourly WITH (timescaledb.continuous) AS
  SELECT metric_name, region, tenant_id, channel_type, time_bucket(INTERVAL '1 hour', window_timestamp) AS hour,
    avg(value) AS average, min(value) AS minimum, max(value) AS maximum, last(value, window_timestamp) AS last, count(*) AS windows
  FROM ws_metrics GROUP BY metric_name, region, tenant_id, channel_type, hour
  WITH NO DATA;
SELECT add_continuous_aggregate_policy('ws_metrics_hourly', start_offset => INTERVAL '3 days', end_offset => INTERVAL '1 hour',
  schedule_interval => INTERVAL '10 minutes', if_not_exists => true);
