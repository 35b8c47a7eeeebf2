// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// The queries of one snapshot. The expressions are generated from dashboards/promql; here are their parameters,
// which depend on what is selected and on the grid. They hold for any Prometheus: a point looks back over its own
// step, (t - step, t], and no further, so a sample is in exactly one point, and where there is no sample there is
// no point.

import { parts, queries as generated, totals, type Parameters } from './queries.gen';
import type { Grid, Schedule } from './time';
import type { Choice } from './url';

export { limits, totals } from './queries.gen';

export interface Query {
  /** a range query is evaluated at every point of the grid, an instant one at its newest window */
  over: 'range' | 'instant';
  expression: string;
}

/** Names of the queries. */
export type Name = keyof typeof generated;

export type Total = (typeof totals)[number];

/** sampleBeyond is the distance of points, ms, beyond which means are of samples. */
const sampleBeyond = 600_000;

/** groupings of the rules of an estate: each series, or sums over some of the dimensions. */
const groupings = [['region', 'tenant_id', 'channel_type'], ['region', 'tenant_id'], ['tenant_id'], ['region'], []];

/** nothing is an expression without a result. */
const nothing = 'vector(0) < 0';

/** quoted writes a string as PromQL does. */
export function quoted(text: string): string {
  return JSON.stringify(text.toWellFormed());
}

/** duration writes a length of time as PromQL does. */
export function duration(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? milliseconds / 1000 + 's' : milliseconds + 'ms';
}

type Labels = Record<string, string>;

function matchers(labels: Labels, matcher: (value: string) => string = (value) => '=' + quoted(value)): string[] {
  return Object.entries(labels)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => name + matcher(value));
}

/** alertMatchers select the alerts that concern the selection: also those of rules that do not distinguish it. */
function alertMatchers(labels: Labels): string[] {
  return matchers(labels, (value) => '=~' + quoted(value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') + '|'));
}

/** exemplars is the query of the sessions that were sampled of those that were dropped. */
export function exemplars(choice: Choice): string {
  const dimensions = { region: choice.region, tenant_id: choice.tenant, channel_type: choice.channel };
  return parts.drop_exemplars({ series: matchers(dimensions).join() } as Parameters);
}

/** queries are all queries of one snapshot. */
export function queries(choice: Choice, grid: Grid, schedule: Schedule): Record<Name, Query> {
  const dimensions = { region: choice.region, tenant_id: choice.tenant, channel_type: choice.channel };
  const range = duration(grid.step);
  const span = Math.max(schedule.step, grid.newest - grid.from);
  const base = {
    series: matchers(dimensions).join(),
    // What is known of a stream does not belong to a channel type.
    streams: matchers({ region: choice.region, tenant_id: choice.tenant }).join(),
    alerts: alertMatchers(dimensions).join(),
    totals: `{${[...matchers(dimensions), `__name__=~"ws_(${totals.join('|')})_total"`].join()}}`,
    range,
    window: duration(schedule.step),
    // Where a point stands for so many windows that reading all of them takes long, ten of them are read where a
    // mean is shown. What must not be missed (drops, gaps, alerts) is read in full.
    mean: grid.step > sampleBeyond ? `[${range}:${duration(Math.round(grid.step / 10))}]` : `[${range}]`,
    end: `[${duration(Math.min(grid.step, 300_000))}]`,
    all: `[${duration(Math.max(grid.step, grid.points.at(-1)! - grid.from))}:${range}]`,
    span: duration(span),
    fine: duration(Math.max(240_000, Math.round(span / 100))),
  };
  const chosen = (group: string[]) =>
    Object.entries(dimensions).every(([name, value]) => value === '' || group.includes(name));
  /** groupParameters select the limits of rules that group by some of the dimensions. */
  const groupParameters = (group: string[], metric: string) => {
    const others = Object.keys(dimensions).filter((name) => !group.includes(name));
    return {
      ...base,
      group: group.join(),
      and_group: group.map((name) => ',' + name).join(''),
      limit_matchers: [...matchers(dimensions), ...others.map((name) => name + '=""'), `metric="${metric}"`].join(),
    };
  };
  const limitsOf = (limit: string, metric: string) =>
    groupings
      .filter(chosen)
      .map((group) => parts.limits_by({ ...groupParameters(group, metric), limit } as Parameters))
      .join(' or ');
  // A rule of the drop rate judges the mean of the series that it groups.
  const judged = groupings
    .filter((group) => group.length < 3 && chosen(group))
    .map((group) => parts.judged_by(groupParameters(group, 'ws.drop_rate') as Parameters));
  const running = (of: string) =>
    (span > 3_600_000 ? parts.running_long : parts.running_short)({ ...base, of } as Parameters);
  const parameters = {
    ...base,
    baseline: limitsOf('ws_alert_baseline', 'ws.active_connections'),
    threshold: limitsOf('ws_alert_threshold', 'ws.active_connections'),
    message_threshold: limitsOf('ws_alert_threshold', 'ws.messages'),
    judged: judged.join(' or ') || nothing,
    running: running(base.totals),
    running_dropped: running(`ws_connections_dropped_total{${base.series}}`),
    running_closed: running(`ws_connections_closed_total{${base.series}}`),
  } as Parameters;
  return Object.fromEntries(
    Object.entries(generated).map(([name, { over, expression }]) => [name, { over, expression: expression(parameters) }]),
  ) as Record<Name, Query>;
}
