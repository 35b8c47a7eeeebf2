// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Generated from dashboards/promql; do not edit: change page.yaml and run make generate.

/** Parameters are what the queries depend on; a query uses some of them. */
export interface Parameters {
  alerts: string;
  all: string;
  and_group: string;
  baseline: string;
  end: string;
  fine: string;
  group: string;
  judged: string;
  limit: string;
  limit_matchers: string;
  mean: string;
  message_threshold: string;
  of: string;
  range: string;
  running: string;
  running_closed: string;
  running_dropped: string;
  series: string;
  span: string;
  streams: string;
  threshold: string;
  totals: string;
  window: string;
}

/** How much is shown of what has no end. */
export const limits = {
  alerts: 50,
  marks: 200,
  ranked: 10,
  regions: 6,
  rows: 12,
  series: 8,
  streams: 200,
} as const;

/** The running counters, in the order in which they are shown. */
export const totals = [
  'messages_sent',
  'messages_received',
  'payload_bytes',
  'connections_opened',
  'connections_closed',
  'connections_dropped',
  'late_events',
  'protocol_violations',
  'backpressure_events',
] as const;

export const queries = {
  /** the present values at the top of the page; mixed */
  now: {
    over: 'instant',
    expression: (p: Parameters) =>
      `label_replace(sum(last_over_time(ws_active_connections{${p.series}}[${p.window}])), "kind", "connections", "", "") or label_replace(sum(last_over_time(ws_messages_per_second{${p.series}}[${p.window}])), "kind", "messages", "", "") or label_replace(sum(last_over_time(ws_payload_throughput_bytes_per_second{${p.series}}[${p.window}])), "kind", "throughput", "", "") or label_replace(sum(max by (tenant_id, region, channel_type) (last_over_time(ws_drop_rate_percent{${p.series}}[${p.window}])) * sum by (tenant_id, region, channel_type) (last_over_time(ws_active_connections{${p.series}}[${p.window}]))) / clamp_min(sum(sum by (tenant_id, region, channel_type) (last_over_time(ws_active_connections{${p.series}}[${p.window}])) and on (tenant_id, region, channel_type) last_over_time(ws_drop_rate_percent{${p.series}}[${p.window}])), 1), "kind", "drops", "", "") or label_replace(max(last_over_time(ws_drop_rate_percent{${p.series}}[${p.window}])), "kind", "worst", "", "") or label_replace(count(count by (tenant_id, region, channel_type) (last_over_time(ws_active_connections{${p.series}}[${p.window}]))), "kind", "series", "", "") or label_replace(count(count by (tenant_id, region, channel_type) (last_over_time(ws_drop_rate_percent{${p.series}}[${p.window}]))), "kind", "drops_series", "", "") or label_replace(count(count by (tenant_id, region, channel_type) (last_over_time(ws_payload_throughput_bytes_per_second{${p.series}}[${p.window}]))), "kind", "throughput_series", "", "") or label_replace(count(count by (rule) (last_over_time(ws_alert_firing{${p.alerts}}[5m]))), "kind", "rules", "", "") or label_replace(max by (rule, severity) (last_over_time(ws_alert_for{metric="ws.active_connections",${p.alerts}}[5m])), "kind", "for_connections", "", "") or label_replace(max(last_over_time(ws_alert_for{metric="ws.drop_rate",${p.alerts}}[5m]) and on (rule, severity) bottomk(1, min by (rule, severity) (last_over_time(ws_alert_threshold{metric="ws.drop_rate",${p.alerts}}[5m])))), "kind", "for_drops", "", "") or label_replace(max(last_over_time(ws_alert_for{metric="ws.clock.skew",${p.alerts}}[5m]) and on (rule, severity) bottomk(1, min by (rule, severity) (last_over_time(ws_alert_threshold{metric="ws.clock.skew",${p.alerts}}[5m])))), "kind", "for_skew", "", "")`,
  },
  /** open connections; {connection} */
  connections: {
    over: 'range',
    expression: (p: Parameters) =>
      `sum(avg_over_time(ws_active_connections{${p.series}}${p.mean}))`,
  },
  /** the usual number of connections, and the one that alerts, where nearly all of them have one; {connection} */
  limits: {
    over: 'range',
    expression: (p: Parameters) =>
      `label_replace(${p.baseline}, "kind", "baseline", "", "") or label_replace(${p.threshold}, "kind", "threshold", "", "")`,
  },
  /** messages sent and received; {message}/s */
  messages: {
    over: 'range',
    expression: (p: Parameters) =>
      `sum(avg_over_time(ws_messages_per_second{${p.series}}${p.mean}))`,
  },
  /** the messages per second that alert, where nearly all series have a threshold; {message}/s */
  message_limits: {
    over: 'range',
    expression: (p: Parameters) =>
      `label_replace(${p.message_threshold}, "kind", "threshold", "", "")`,
  },
  /** payload, of the series that report a size; By/s */
  throughput: {
    over: 'range',
    expression: (p: Parameters) =>
      `sum(avg_over_time(ws_payload_throughput_bytes_per_second{${p.series}}${p.mean}))`,
  },
  /** the drop rate of all connections, and of the series with the highest; % */
  drops: {
    over: 'range',
    expression: (p: Parameters) =>
      `label_replace(sum(max by (tenant_id, region, channel_type) (avg_over_time(ws_drop_rate_percent{${p.series}}${p.mean})) * sum by (tenant_id, region, channel_type) (avg_over_time(ws_active_connections{${p.series}}${p.mean}))) / clamp_min(sum(sum by (tenant_id, region, channel_type) (avg_over_time(ws_active_connections{${p.series}}${p.mean})) and on (tenant_id, region, channel_type) max by (tenant_id, region, channel_type) (avg_over_time(ws_drop_rate_percent{${p.series}}${p.mean}))), 1), "kind", "all", "", "") or label_replace(max(max_over_time(ws_drop_rate_percent{${p.series}}[${p.range}])), "kind", "worst", "", "") or label_replace(${p.judged}, "kind", "judged", "", "") or label_replace(min(last_over_time(ws_alert_threshold{metric="ws.drop_rate",${p.alerts}}${p.end})), "kind", "threshold", "", "")`,
  },
  /** of the streams of a region the clock that is farthest off; ms */
  skew: {
    over: 'range',
    expression: (p: Parameters) =>
      `label_replace(((max by (region) (avg_over_time(ws_clock_skew_milliseconds{${p.streams}}${p.mean})) > -min by (region) (avg_over_time(ws_clock_skew_milliseconds{${p.streams}}${p.mean})) or min by (region) (avg_over_time(ws_clock_skew_milliseconds{${p.streams}}${p.mean}))) and on (region) topk(6, max by (region) (max_over_time(abs(last_over_time(ws_clock_skew_milliseconds{${p.streams}}${p.mean}))${p.all} @ end())))), "kind", "skew", "", "") or label_replace(min(last_over_time(ws_alert_threshold{metric="ws.clock.skew",${p.alerts}}${p.end})), "kind", "threshold", "", "")`,
  },
  /** backpressure and protocol violations that a point added; {event} */
  events: {
    over: 'range',
    expression: (p: Parameters) =>
      `label_replace(sum(last_over_time(ws_backpressure_events_total{${p.streams}}[${p.range}])) - (sum((last_over_time(ws_backpressure_events_total{${p.streams}}[5m] offset ${p.range}) or last_over_time(ws_backpressure_events_total{${p.streams}}[1d:4m] offset ${p.range})) and last_over_time(ws_backpressure_events_total{${p.streams}}[${p.range}])) or vector(0)), "kind", "backpressure", "", "") or label_replace(sum(last_over_time(ws_protocol_violations_total{${p.streams}}[${p.range}])) - (sum((last_over_time(ws_protocol_violations_total{${p.streams}}[5m] offset ${p.range}) or last_over_time(ws_protocol_violations_total{${p.streams}}[1d:4m] offset ${p.range})) and last_over_time(ws_protocol_violations_total{${p.streams}}[${p.range}])) or vector(0)), "kind", "violations", "", "")`,
  },
  /** complete windows of the streams with the fewest; {window} */
  rows: {
    over: 'range',
    expression: (p: Parameters) =>
      `max by (tenant_id, region) (sum_over_time(ws_window_complete_ratio{${p.streams}}[${p.range}])) and on (tenant_id, region) bottomk(12, max by (tenant_id, region) (sum_over_time(last_over_time(ws_window_complete_ratio{${p.streams}}${p.mean})${p.all} @ end())))`,
  },
  /** streams that have windows, that have incomplete ones, and that have stopped; {stream} */
  health: {
    over: 'range',
    expression: (p: Parameters) =>
      `label_replace(count(max by (tenant_id, region) (last_over_time(ws_window_complete_ratio{${p.streams}}[${p.range}]))), "kind", "present", "", "") or label_replace(count(min by (tenant_id, region) (min_over_time(ws_window_complete_ratio{${p.streams}}[${p.range}])) == 0), "kind", "incomplete", "", "") or label_replace(count((sum by (tenant_id, region) (last_over_time(ws_active_connections{${p.streams}}[1h])) > 0) unless on (tenant_id, region) max by (tenant_id, region) (last_over_time(ws_window_complete_ratio{${p.streams}}[${p.range}]))), "kind", "stopped", "", "")`,
  },
  /** the end of the last window of each stream, whether it was complete, its connections, and when its gaps are healed; mixed */
  streams: {
    over: 'instant',
    expression: (p: Parameters) =>
      `label_replace(bottomk(200, (max by (tenant_id, region) (timestamp(ws_window_complete_ratio{${p.streams}})) or max by (tenant_id, region) (max_over_time(timestamp(ws_window_complete_ratio{${p.streams}})[1d:4m])))), "kind", "seen", "", "") or label_replace(min by (tenant_id, region) (last_over_time(ws_window_complete_ratio{${p.streams}}[${p.window}])) and on (tenant_id, region) bottomk(200, (max by (tenant_id, region) (timestamp(ws_window_complete_ratio{${p.streams}})) or max by (tenant_id, region) (max_over_time(timestamp(ws_window_complete_ratio{${p.streams}})[1d:4m])))), "kind", "complete", "", "") or label_replace((sum by (tenant_id, region) (ws_active_connections{${p.streams}}) or sum by (tenant_id, region) (last_over_time(ws_active_connections{${p.streams}}[1d:4m]))) and on (tenant_id, region) bottomk(200, (max by (tenant_id, region) (timestamp(ws_window_complete_ratio{${p.streams}})) or max by (tenant_id, region) (max_over_time(timestamp(ws_window_complete_ratio{${p.streams}})[1d:4m])))), "kind", "connections", "", "") or label_replace(max by (tenant_id, region) (last_over_time(ws_gaps_healed_since_seconds{${p.streams}}[1h])) and on (tenant_id, region) bottomk(200, (max by (tenant_id, region) (timestamp(ws_window_complete_ratio{${p.streams}})) or max by (tenant_id, region) (max_over_time(timestamp(ws_window_complete_ratio{${p.streams}})[1d:4m])))), "kind", "healed_since", "", "") or label_replace(max by (tenant_id, region) (last_over_time(ws_gaps_healed_until_seconds{${p.streams}}[1h])) and on (tenant_id, region) bottomk(200, (max by (tenant_id, region) (timestamp(ws_window_complete_ratio{${p.streams}})) or max by (tenant_id, region) (max_over_time(timestamp(ws_window_complete_ratio{${p.streams}})[1d:4m])))), "kind", "healed_until", "", "") or label_replace(count((max by (tenant_id, region) (timestamp(ws_window_complete_ratio{${p.streams}})) or max by (tenant_id, region) (max_over_time(timestamp(ws_window_complete_ratio{${p.streams}})[1d:4m])))), "kind", "number", "", "")`,
  },
  /** percentiles of the duration of sessions and of the time to the first reply, of sessions that ended in some minutes; s */
  sessions: {
    over: 'range',
    expression: (p: Parameters) =>
      `label_replace(histogram_quantile(0.5, sum(rate(ws_session_duration_seconds{${p.series}}[${p.fine}]))), "kind", "duration_p50", "", "") or label_replace(histogram_quantile(0.95, sum(rate(ws_session_duration_seconds{${p.series}}[${p.fine}]))), "kind", "duration_p95", "", "") or label_replace(histogram_quantile(0.99, sum(rate(ws_session_duration_seconds{${p.series}}[${p.fine}]))), "kind", "duration_p99", "", "") or label_replace(histogram_quantile(0.5, sum(rate(ws_session_first_reply_seconds{${p.series}}[${p.fine}]))), "kind", "reply_p50", "", "") or label_replace(histogram_quantile(0.95, sum(rate(ws_session_first_reply_seconds{${p.series}}[${p.fine}]))), "kind", "reply_p95", "", "") or label_replace(histogram_quantile(0.99, sum(rate(ws_session_first_reply_seconds{${p.series}}[${p.fine}]))), "kind", "reply_p99", "", "")`,
  },
  /** the alerts that fired in a point; 1 */
  alerts: {
    over: 'range',
    expression: (p: Parameters) =>
      `topk(50, max by (rule, severity, tenant_id, region, channel_type) (max_over_time(ws_alert_firing{${p.alerts}}[${p.range}])) == 1)`,
  },
  /** the alerts that fire by the last known state; 1 */
  firing: {
    over: 'instant',
    expression: (p: Parameters) =>
      `topk(50, max by (rule, severity, tenant_id, region, channel_type) (last_over_time(ws_alert_firing{${p.alerts}}[1h])) == 1)`,
  },
  /** the running totals; mixed */
  running: {
    over: 'instant',
    expression: (p: Parameters) =>
      `sum by (counter) (label_replace(${p.running}, "counter", "$1", "__name__", "ws_(.+)_total"))`,
  },
  /** what they were before the time in view; mixed */
  before: {
    over: 'instant',
    expression: (p: Parameters) =>
      `sum by (counter) (label_replace(((last_over_time(${p.totals}[5m] offset ${p.span}) or last_over_time(${p.totals}[1d:4m] offset ${p.span})) and ${p.running}), "counter", "$1", "__name__", "ws_(.+)_total"))`,
  },
  /** the regions with most drops in the time in view, and all that closed there; {connection} */
  regions: {
    over: 'instant',
    expression: (p: Parameters) =>
      `label_replace(topk(10, sum by (region) (${p.running_dropped}) - (sum by (region) ((last_over_time(ws_connections_dropped_total{${p.series}}[5m] offset ${p.span}) or last_over_time(ws_connections_dropped_total{${p.series}}[1d:4m] offset ${p.span})) and ${p.running_dropped}) or 0 * sum by (region) (${p.running_dropped}))), "kind", "dropped", "", "") or label_replace(sum by (region) (${p.running_closed}) - (sum by (region) ((last_over_time(ws_connections_closed_total{${p.series}}[5m] offset ${p.span}) or last_over_time(ws_connections_closed_total{${p.series}}[1d:4m] offset ${p.span})) and ${p.running_closed}) or 0 * sum by (region) (${p.running_closed})), "kind", "closed", "", "")`,
  },
  /** the series with most connections; mixed */
  busiest: {
    over: 'instant',
    expression: (p: Parameters) =>
      `label_replace(topk(8, sum by (tenant_id, region, channel_type) (last_over_time(ws_active_connections{${p.series}}[${p.window}]))), "kind", "connections", "", "") or label_replace(sum by (tenant_id, region, channel_type) (last_over_time(ws_messages_per_second{${p.series}}[${p.window}])) and on (tenant_id, region, channel_type) topk(8, sum by (tenant_id, region, channel_type) (last_over_time(ws_active_connections{${p.series}}[${p.window}]))), "kind", "messages", "", "") or label_replace(sum by (tenant_id, region, channel_type) (last_over_time(ws_drop_rate_percent{${p.series}}[${p.window}])) and on (tenant_id, region, channel_type) topk(8, sum by (tenant_id, region, channel_type) (last_over_time(ws_active_connections{${p.series}}[${p.window}]))), "kind", "drops", "", "")`,
  },
} as const;

/** Parts of queries that queries.ts puts together. */
export const parts = {
  drop_exemplars: (p: Parameters) =>
    `ws_connections_dropped_total{${p.series}}`,
  limits_by: (p: Parameters) =>
    `sum by (rule, severity) (max by (rule,severity${p.and_group}) (last_over_time(${p.limit}{${p.limit_matchers}}${p.end}))) and on () (sum(sum by (${p.group}) (last_over_time(ws_active_connections{${p.series}}${p.end})) and on (${p.group}) max by (rule,severity${p.and_group}) (last_over_time(${p.limit}{${p.limit_matchers}}${p.end}))) >= 0.95 * sum(last_over_time(ws_active_connections{${p.series}}${p.end})))`,
  judged_by: (p: Parameters) =>
    `max(avg by (${p.group}) (max by (tenant_id, region, channel_type) (avg_over_time(ws_drop_rate_percent{${p.series}}${p.mean}))) and on (${p.group}) max by (${p.group}) (last_over_time(ws_alert_threshold{${p.limit_matchers}}${p.end})))`,
  running_short: (p: Parameters) =>
    `(last_over_time(${p.of}[${p.span}]))`,
  running_long: (p: Parameters) =>
    `(last_over_time(${p.of}[1h]) or last_over_time(${p.of}[${p.span}:${p.fine}]))`,
} as const;
