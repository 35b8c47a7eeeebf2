CREATE TABLE IF NOT EXISTS ws_schema (
  version integer PRIMARY KEY,
  applied timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ws_metrics (
  metric_name      text             NOT NULL,
  region           text             NOT NULL,
  tenant_id        text             NOT NULL,
  channel_type     text             NOT NULL,
  window_timestamp timestamptz(3)   NOT NULL,
  value            double precision NOT NULL,
  start_timestamp  timestamptz(3),
  attributes       jsonb,
  PRIMARY KEY (metric_name, region, tenant_id, channel_type, window_timestamp)
) PARTITION BY RANGE (window_timestamp);
COMMENT ON TABLE ws_metrics IS 'One row per metric, series and window; window_timestamp is the end of the window';

CREATE TABLE ws_metrics_extra (
  metric_name      text             NOT NULL,
  region           text             NOT NULL,
  tenant_id        text             NOT NULL,
  channel_type     text             NOT NULL,
  window_timestamp timestamptz(3)   NOT NULL,
  value            double precision NOT NULL,
  start_timestamp  timestamptz(3),
  attributes       jsonb            NOT NULL,
  PRIMARY KEY (metric_name, region, tenant_id, channel_type, window_timestamp, attributes)
) PARTITION BY RANGE (window_timestamp);
COMMENT ON TABLE ws_metrics_extra IS 'Metrics with attributes beyond the three dimensions, such as ws.alert.firing with its rule';

CREATE TABLE ws_histograms (
  metric_name      text               NOT NULL,
  region           text               NOT NULL,
  tenant_id        text               NOT NULL,
  channel_type     text               NOT NULL,
  window_timestamp timestamptz(3)     NOT NULL,
  start_timestamp  timestamptz(3),
  attributes       jsonb              NOT NULL,
  count            bigint             NOT NULL,
  sum              double precision,
  min              double precision,
  max              double precision,
  bounds           double precision[] NOT NULL,
  counts           bigint[]           NOT NULL,
  PRIMARY KEY (metric_name, region, tenant_id, channel_type, window_timestamp, attributes)
) PARTITION BY RANGE (window_timestamp);
COMMENT ON COLUMN ws_histograms.counts IS 'counts[i] is the number of measurements above bounds[i-1], up to and including bounds[i]';

CREATE INDEX ws_metrics_time ON ws_metrics (window_timestamp DESC);
