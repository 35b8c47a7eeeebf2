// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// The questions that one picture consists of, in PromQL. They hold for any Prometheus:
//
// - Every series is aggregated by the dimensions of windows, since a store may add labels of its own.
// - A point looks back over its own step, (t - step, t], and no further. So a sample is in exactly one
//   point, and where there is no sample there is no point: the five minutes for which a
//   plain selector carries a value on would draw a dead stream as calm.
// - Several lines of one panel come in one answer, told apart by the label `kind`.

import type { Grid, Schedule } from './time';
import type { Choice } from './url';

export interface Question {
  /** a range question is asked at every point of the grid, an instant one at its newest window */
  over: 'range' | 'instant';
  expression: string;
}

/** Names of the questions. */
export type Name = keyof ReturnType<typeof questions>;

/** How much is shown of what has no end. */
export const most = { regions: 6, rows: 12, streams: 200, series: 8, ranked: 10, alerts: 50 } as const;

/** sampleBeyond is the distance of points beyond which means are of samples. */
const sampleBeyond = 600_000;

const dimensions = 'region, tenant_id, channel_type';
const stream = 'region, tenant_id';

/** groupings are what the rules of an estate are for: each series, or sums over some of the dimensions. */
const groupings = [['region', 'tenant_id', 'channel_type'], ['region', 'tenant_id'], ['tenant_id'], ['region'], []];

/** quoted writes a string as PromQL does. */
export function quoted(text: string): string {
  return JSON.stringify(text.toWellFormed());
}

/** lookback writes a length of time as PromQL does. */
export function lookback(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? milliseconds / 1000 + 's' : milliseconds + 'ms';
}

function selector(labels: Record<string, string>, ...more: string[]): string {
  const chosen = Object.entries(labels).filter(([, value]) => value !== '');
  return '{' + [...chosen.map(([name, value]) => name + '=' + quoted(value)), ...more].join(',') + '}';
}

/** alertSelector takes the alerts that concern what is chosen: also those of rules that do not tell it apart. */
function alertSelector(labels: Record<string, string>, ...more: string[]): string {
  const chosen = Object.entries(labels).filter(([, value]) => value !== '');
  const literally = (value: string) => value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return (
    '{' + [...chosen.map(([name, value]) => name + '=~' + quoted(literally(value) + '|')), ...more].join(',') + '}'
  );
}

function kinds(expressions: Record<string, string>): string {
  return Object.entries(expressions)
    .map(([kind, expression]) => `label_replace(${expression}, "kind", "${kind}", "", "")`)
    .join(' or ');
}

/** questions are all that is asked for one picture. */
export function questions(choice: Choice, grid: Grid, schedule: Schedule) {
  const dims = { region: choice.region, tenant_id: choice.tenant, channel_type: choice.channel };
  const series = selector(dims);
  // What is told of a stream does not belong to a channel type.
  const streams = selector({ region: choice.region, tenant_id: choice.tenant });
  const step = lookback(grid.step);
  const window = lookback(schedule.step);
  const span = Math.max(schedule.step, grid.newest - grid.from);
  // Where a point stands for so many windows that to read them all takes long, ten of them are asked for where a
  // mean is shown. What must not be missed (drops, gaps, alerts) is read in full.
  const some = grid.step > sampleBeyond ? `[${step}:${lookback(Math.round(grid.step / 10))}]` : `[${step}]`;
  // Limits change slowly: the end of a point tells them.
  const end = `[${lookback(Math.min(grid.step, 300_000))}]`;
  const whole = `[${lookback(Math.max(grid.step, grid.points.at(-1)! - grid.from))}:${step}]`;

  const connections = `avg_over_time(ws_active_connections${series}${some})`;
  const bySeries = `sum by (${dimensions}) (${connections})`;
  const dropRate = `max by (${dimensions}) (avg_over_time(ws_drop_rate_percent${series}${some}))`;
  const reporting = (metric: string) => `count(count by (${dimensions}) (last_over_time(${metric}${series}[${window}])))`;
  const guard = (metric: string, guarded: string) =>
    `min(last_over_time(${metric}${alertSelector(dims, `metric="${guarded}"`)}${end}))`;
  // A rule is for each series, or for what they come to by some of the dimensions. The sum of its limits
  // says something about the sum of connections only where nearly all of them have one.
  const guarding = (metric: string) =>
    groupings
      .filter((group) => Object.entries(dims).every(([name, value]) => value === '' || group.includes(name)))
      .map((group) => {
        const others = Object.keys(dims).filter((name) => !group.includes(name));
        const labels = selector(dims, ...others.map((name) => name + '=""'), 'metric="ws.active_connections"');
        const limit = `max by (${['rule', 'severity', ...group]}) (last_over_time(${metric}${labels}${end}))`;
        const open = `last_over_time(ws_active_connections${series}${end})`;
        const guarded = `sum(sum by (${group}) (${open}) and on (${group}) ${limit})`;
        return `sum by (rule, severity) (${limit}) and on () (${guarded} >= 0.95 * sum(${open}))`;
      })
      .join(' or ');

  const skew = `avg_over_time(ws_clock_skew_milliseconds${streams}${some})`;
  const skewOf = (which: string) => `${which} by (region) (${skew})`;
  const largestSkew = `max by (region) (max_over_time(abs(last_over_time(ws_clock_skew_milliseconds${streams}${some}))${whole} @ end()))`;

  const complete = `ws_window_complete_ratio${streams}`;
  const completeness = `sum_over_time(${complete}[${step}])`;
  const leastComplete = `max by (${stream}) (sum_over_time(last_over_time(${complete}${some})${whole} @ end()))`;

  const lastSeen =
    `(max by (${stream}) (timestamp(${complete})) or ` +
    `max by (${stream}) (max_over_time(timestamp(${complete})[1d:4m])))`;
  const longestSilent = `bottomk(${most.streams}, ${lastSeen})`;

  const alerts = alertSelector(dims);
  const firing = `max_over_time(ws_alert_firing${alerts}[${step}])`;
  const rule = `rule, severity, ${dimensions}`;

  // Before `offset`: the value that a counter had. One that has been idle is found within a day; one that was not
  // there before has begun since, and counts in full.
  const before = (counter: string, offset: string) =>
    `(last_over_time(${counter}[5m] offset ${offset}) or last_over_time(${counter}[1d:4m] offset ${offset}))`;
  const added = (counter: string) => {
    const now = `last_over_time(${counter}${streams}[${step}])`;
    return `sum(${now}) - (sum(${before(counter + streams, step)} and ${now}) or vector(0))`;
  };
  const counter = selector(dims, `__name__=~"ws_(${totals.join('|')})_total"`);
  const fine = lookback(Math.max(240_000, Math.round(span / 100)));
  const runningOf = (of: string) =>
    `(last_over_time(${of}[${lookback(Math.min(span, 3_600_000))}])` +
    (span > 3_600_000 ? ` or last_over_time(${of}[${lookback(span)}:${fine}]))` : ')');
  const running = runningOf(counter);
  const byCounter = (expression: string) =>
    `sum by (counter) (label_replace(${expression}, "counter", "$1", "__name__", "ws_(.+)_total"))`;

  // What a rule of the drop rate judges: the mean of the series that it groups, where each group has a threshold.
  const judged = groupings
    .filter((group) => group.length < 3)
    .filter((group) => Object.entries(dims).every(([name, value]) => value === '' || group.includes(name)))
    .map((group) => {
      const others = Object.keys(dims).filter((name) => !group.includes(name));
      const labels = selector(dims, ...others.map((name) => name + '=""'), 'metric="ws.drop_rate"');
      const limit = `max by (${group}) (last_over_time(ws_alert_threshold${labels}${end}))`;
      return `max(avg by (${group}) (${dropRate}) and on (${group}) ${limit})`;
    });

  // By region, and in the range.
  const inRange = (counter: string) => {
    const latest = runningOf(counter + series);
    const zero = `0 * sum by (region) (${latest})`;
    return `sum by (region) (${latest}) - (sum by (region) (${before(counter + series, lookback(span))} and ${latest}) or ${zero})`;
  };

  const busiest = `topk(${most.series}, sum by (${dimensions}) (last_over_time(ws_active_connections${series}[${window}])))`;
  const ofBusiest = (metric: string) =>
    `sum by (${dimensions}) (last_over_time(${metric}${series}[${window}])) and on (${dimensions}) ${busiest}`;

  return {
    now: {
      over: 'instant',
      expression: kinds({
        connections: `sum(last_over_time(ws_active_connections${series}[${window}]))`,
        messages: `sum(last_over_time(ws_messages_per_second${series}[${window}]))`,
        throughput: `sum(last_over_time(ws_payload_throughput_bytes_per_second${series}[${window}]))`,
        drops:
          `sum(max by (${dimensions}) (last_over_time(ws_drop_rate_percent${series}[${window}])) * ` +
          `sum by (${dimensions}) (last_over_time(ws_active_connections${series}[${window}]))) / ` +
          `clamp_min(sum(sum by (${dimensions}) (last_over_time(ws_active_connections${series}[${window}])) ` +
          `and on (${dimensions}) last_over_time(ws_drop_rate_percent${series}[${window}])), 1)`,
        worst: `max(last_over_time(ws_drop_rate_percent${series}[${window}]))`,
        // How many series there are, and how many of them report what not every platform reports.
        series: reporting('ws_active_connections'),
        drops_series: reporting('ws_drop_rate_percent'),
        throughput_series: reporting('ws_payload_throughput_bytes_per_second'),
        rules: `count(count by (rule) (last_over_time(ws_alert_firing${alerts}[5m])))`,
      }),
    },
    connections: { over: 'range', expression: `sum(${connections})` },
    limits: {
      over: 'range',
      expression: kinds({ baseline: guarding('ws_alert_baseline'), threshold: guarding('ws_alert_threshold') }),
    },
    messages: { over: 'range', expression: `sum(avg_over_time(ws_messages_per_second${series}${some}))` },
    throughput: {
      over: 'range',
      expression: `sum(avg_over_time(ws_payload_throughput_bytes_per_second${series}${some}))`,
    },
    drops: {
      over: 'range',
      expression: kinds({
        // Only of the connections of those series that report a drop rate.
        all: `sum(${dropRate} * ${bySeries}) / clamp_min(sum(${bySeries} and on (${dimensions}) ${dropRate}), 1)`,
        worst: `max(max_over_time(ws_drop_rate_percent${series}[${step}]))`,
        ...(judged.length > 0 ? { judged: judged.join(' or ') } : {}),
        threshold: guard('ws_alert_threshold', 'ws.drop_rate'),
      }),
    },
    skew: {
      over: 'range',
      // Of the streams of a region the one that is farthest off.
      expression: kinds({
        skew:
          `((${skewOf('max')} > -${skewOf('min')} or ${skewOf('min')}) ` +
          `and on (region) topk(${most.regions}, ${largestSkew}))`,
        threshold: guard('ws_alert_threshold', 'ws.clock.skew'),
      }),
    },
    events: {
      over: 'range',
      expression: kinds({
        backpressure: added('ws_backpressure_events_total'),
        violations: added('ws_protocol_violations_total'),
      }),
    },
    rows: {
      over: 'range',
      expression: `max by (${stream}) (${completeness}) and on (${stream}) bottomk(${most.rows}, ${leastComplete})`,
    },
    health: {
      over: 'range',
      expression: kinds({
        present: `count(max by (${stream}) (last_over_time(${complete}[${step}])))`,
        incomplete: `count(min by (${stream}) (min_over_time(${complete}[${step}])) == 0)`,
        // A stream that has gone quiet ends with no connection open; one that ends with some has been cut off.
        stopped:
          `count((sum by (${stream}) (last_over_time(ws_active_connections${streams}[1h])) > 0) ` +
          `unless on (${stream}) max by (${stream}) (last_over_time(${complete}[${step}])))`,
      }),
    },
    streams: {
      over: 'instant',
      expression: kinds({
        seen: longestSilent,
        complete: `min by (${stream}) (last_over_time(${complete}[${window}])) and on (${stream}) ${longestSilent}`,
        connections:
          `(sum by (${stream}) (ws_active_connections${streams}) or ` +
          `sum by (${stream}) (last_over_time(ws_active_connections${streams}[1d:4m]))) and on (${stream}) ${longestSilent}`,
        number: `count(${lastSeen})`,
      }),
    },
    alerts: { over: 'range', expression: `topk(${most.alerts}, max by (${rule}) (${firing}) == 1)` },
    // Which fire by the last that is known of them.
    firing: {
      over: 'instant',
      expression: `topk(${most.alerts}, max by (${rule}) (last_over_time(ws_alert_firing${alerts}[1h])) == 1)`,
    },
    running: { over: 'instant', expression: byCounter(running) },
    before: { over: 'instant', expression: byCounter(`(${before(counter, lookback(span))} and ${running})`) },
    regions: {
      over: 'instant',
      expression: kinds({
        dropped: `topk(${most.ranked}, ${inRange('ws_connections_dropped_total')})`,
        closed: inRange('ws_connections_closed_total'),
      }),
    },
    busiest: {
      over: 'instant',
      expression: kinds({
        connections: busiest,
        messages: ofBusiest('ws_messages_per_second'),
        drops: ofBusiest('ws_drop_rate_percent'),
      }),
    },
  } as const satisfies Record<string, Question>;
}

/** totals are the running counters, in the order in which they are shown. */
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

export type Total = (typeof totals)[number];
