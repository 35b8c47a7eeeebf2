// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { address, seriesOf } from '../src/api';
import { duration, queries, quoted } from '../src/queries';
import { endOf, gridOf } from '../src/time';
import { parse } from '../src/url';

const usual = { window: 10_000, step: 9_000, offset: 2_000 };
const now = endOf(188_888_888, usual);
const grid = gridOf({ length: 900_000 }, now, usual);

test('strings are quoted as PromQL has them', () => {
  assert.equal(quoted('eu-west-1'), '"eu-west-1"');
  assert.equal(quoted('a"b\\c\nd'), '"a\\"b\\\\c\\nd"');
  assert.equal(quoted('lone \ud800 half'), '"lone \ufffd half"');
  assert.equal(duration(9_000), '9s');
  assert.equal(duration(630), '630ms');
});

test('a selected channel type does not limit the queries of streams', () => {
  const all = queries(parse('?region=eu-west-1&tenant=globex&channel=voice'), grid, usual);
  const stream = '{region="eu-west-1",tenant_id="globex"}';
  const series = '{region="eu-west-1",tenant_id="globex",channel_type="voice"}';
  for (const name of ['skew', 'events', 'rows', 'streams', 'health'] as const) {
    assert.ok(all[name].expression.includes(stream), name);
    assert.ok(!all[name].expression.includes('channel_type="voice"'), name);
  }
  for (const name of ['connections', 'messages', 'throughput', 'drops', 'busiest', 'now'] as const) {
    assert.ok(all[name].expression.includes(series), name);
  }
});

test('alerts of rules that do not distinguish regions concern each region', () => {
  const { alerts, drops, limits } = queries(parse('?region=eu.west|1'), grid, usual);
  assert.ok(alerts.expression.includes('ws_alert_firing{region=~"eu\\\\.west\\\\|1|"}'), alerts.expression);
  assert.ok(drops.expression.includes('ws_alert_threshold{metric="ws.drop_rate",region=~"eu\\\\.west\\\\|1|"}'), drops.expression);
  // But the limit of a tenant as a whole is not one of its share in a region.
  assert.ok(!limits.expression.includes('region=""'), limits.expression);
  assert.ok(queries(parse('?tenant=a'), grid, usual).limits.expression.includes('region=""'));
});

test('no value is carried on from before its point', () => {
  const { connections, messages, throughput } = queries(parse(''), grid, usual);
  for (const { expression } of [connections, messages, throughput]) assert.match(expression, /\[9s\]/);
});

test('of a long time means are of samples, and what must not be missed is read in full', () => {
  const long = gridOf({ length: 90 * 86_400_000 }, now, usual);
  const all = queries(parse(''), long, usual);
  const step = duration(long.step);
  assert.ok(all.connections.expression.includes(`[${step}:`));
  for (const metric of [
    'max_over_time(ws_drop_rate_percent{}',
    'min_over_time(ws_window_complete_ratio{}',
    'max_over_time(ws_alert_firing{}',
  ]) {
    const expressions = Object.values(all).map((query) => query.expression);
    assert.ok(
      expressions.some((expression) => expression.includes(`${metric}[${step}])`)),
      metric,
    );
  }
});

test('all viewers of a window send the same queries', () => {
  const at = (last: number) => {
    const grid = gridOf({ length: 900_000 }, last, usual);
    return Object.values(queries(parse('?region=x'), grid, usual)).map((query) => address(query, grid));
  };
  assert.deepEqual(at(now), at(now));
  assert.notDeepEqual(at(now), at(now + usual.step));
});

test('responses are read, and what is no number is left out', () => {
  const series = seriesOf({
    data: {
      result: [
        {
          metric: { region: 'a' },
          values: [
            [1, '2'],
            [1.5, 'NaN'],
            [2.0004, '+Inf'],
            [3.001, '-0.5'],
          ],
        },
      ],
    },
  });
  assert.deepEqual(series[0]!.labels, { region: 'a' });
  assert.deepEqual(
    [...series[0]!.points],
    [
      [1000, 2],
      [3001, -0.5],
    ],
  );
  assert.deepEqual([...seriesOf({ data: { result: [{ metric: {}, value: [7, '1'] }] } })[0]!.points], [[7000, 1]]);
  for (const body of [null, {}, { data: {} }, { data: { result: 'x' } }, 5]) assert.throws(() => seriesOf(body));
});

test('the drop rate of all is of the connections of series that report one', () => {
  const { drops, now } = queries(parse(''), grid, usual);
  for (const { expression } of [drops, now]) {
    assert.match(expression, /clamp_min\(sum\(sum by \([^)]*\) \(.*and on \(tenant_id, region, channel_type\).*ws_drop_rate_percent/);
  }
});

test('the line of what a rule judges is the mean of the series that it groups', () => {
  const { drops } = queries(parse(''), grid, usual);
  assert.ok(drops.expression.includes('max(avg by (region,tenant_id) ('), drops.expression);
  // Of one channel type alone no rule judges a mean.
  const one = queries(parse('?region=a&tenant=b&channel=c'), grid, usual);
  assert.ok(!one.drops.expression.includes('max(avg by'), one.drops.expression);
});

test('regions are ranked by the drops of the range', () => {
  const { regions } = queries(parse(''), grid, usual);
  assert.match(regions.expression, /topk\(10, sum by \(region\)/);
  assert.ok(regions.expression.includes('ws_connections_dropped_total{}[5m] offset 900s'), regions.expression);
});
