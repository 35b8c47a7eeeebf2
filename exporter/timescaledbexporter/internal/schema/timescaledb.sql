
SELECT create_hypertable('ws_metrics', 'window_timestamp', chunk_time_interval => INTERVAL '1 day', create_default_indexes => false);
SELECT create_hypertable('ws_metrics_extra', 'window_timestamp', chunk_time_interval => INTERVAL '1 day', create_default_indexes => false);
SELECT create_hypertable('ws_histograms', 'window_timestamp', chunk_time_interval => INTERVAL '1 day', create_default_indexes => false);
