// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { marksOf, type Result, type Series } from '../src/api';
import {
  absenceOf,
  coverageOf,
  windowsArrive,
  bandsOf,
  conditionOf, episodesOf, grouped, limitsOf, regionsOf, streamsOf, thresholdOf, totalOf, marksAt, valuesOf, type Snapshot } from '../src/snapshot';
import { queries, type Name } from '../src/queries';
import { endOf, gridOf } from '../src/time';
import { parse } from '../src/url';

const schedule = { window: 10_000, step: 9_000, offset: 2_000 };
const now = endOf(188_888_888, schedule);
const grid = gridOf({ length: 90_000 }, now, schedule);
const { points } = grid;

/** line is a series with these values at the points of the grid, null where there is none. */
function line(labels: Record<string, string>, values: (number | null)[]): Series {
  return { labels, points: new Map(values.flatMap((v, i) => (v === null ? [] : [[points[i]!, v] as const]))) };
}

function at(labels: Record<string, string>, value: number): Series {
  return { labels, points: new Map([[grid.newest, value]]) };
}

function snapshot(results: Partial<Record<Name, Series[] | string>>): Snapshot {
  const all = {} as Record<Name, Result>;
  for (const name of Object.keys(queries(parse(''), grid, schedule)) as Name[]) {
    const result = results[name] ?? [];
    all[name] = typeof result === 'string' ? { error: result } : { series: result };
  }
  return { choice: parse(''), grid, schedule, taken: now, results: all, marks: [] };
}

const full = points.map(() => 1);

test('a point without a sample is a gap', () => {
  const values = valuesOf(snapshot({ connections: [line({}, [5, null, 7])] }), 'connections');
  assert.deepEqual(values, [5, null, 7, ...points.slice(3).map(() => null)]);
});

test('a mark belongs to the point whose windows end after it', () => {
  const marks = [points[0]! - 1, points[2]! - grid.step + 1, points[2]!, grid.newest + 1].map((time) => ({ time, trace: String(time) }));
  const marked = { ...snapshot({}), marks };
  assert.deepEqual(marksAt(marked, 2), [marks[1], marks[2]]);
  assert.deepEqual(marksAt(marked, 1), []);
  assert.deepEqual(marksAt(marked, 0), [marks[0]]);
});

test('exemplars are marks, each once, in order of time', () => {
  const exemplar = (trace: string | undefined, timestamp: number) => ({ labels: trace ? { trace_id: trace } : {}, timestamp, value: '1' });
  const body = { data: [{ exemplars: [exemplar('b', 2.5), exemplar('a', 1)] }, { exemplars: [exemplar('b', 2.5), exemplar(undefined, 3)] }, {}] };
  assert.deepEqual(marksOf(body), [{ time: 1000, trace: 'a' }, { time: 2500, trace: 'b' }]);
  assert.equal(marksOf({ data: [{ exemplars: Array.from({ length: 300 }, (_, i) => exemplar(String(i), i)) }] }).length, 200);
  assert.throws(() => marksOf({}));
});

test('time without windows, and with some missing, is shaded, and calm is not', () => {
  const present = full.map((v, i) => (i === 2 || i === 3 ? null : v * 2));
  const incomplete = full.map((_, i) => (i === 5 ? 1 : null));
  const stopped = full.map((_, i) => (i === 6 ? 1 : null));
  const bands = bandsOf(
    snapshot({
      health: [
        line({ kind: 'present' }, present),
        line({ kind: 'incomplete' }, incomplete),
        line({ kind: 'stopped' }, stopped),
      ],
    }),
  );
  assert.deepEqual(bands, [
    { from: points[1], to: points[3], kind: 'none' },
    { from: points[4], to: points[6], kind: 'partial' },
  ]);
  assert.deepEqual(bandsOf(snapshot({ health: [line({ kind: 'present' }, full)] })), []);
  assert.equal(bandsOf(snapshot({})).length, 1, 'nothing at all is one gap');
});

test('time before the first window ever is no gap, unless there were windows before the range', () => {
  const health = [
    line(
      { kind: 'present' },
      full.map((v, i) => (i < 4 ? null : v)),
    ),
  ];
  assert.deepEqual(bandsOf(snapshot({ health })), []);
  assert.deepEqual(bandsOf(snapshot({ health, before: [at({ counter: 'messages_sent' }, 7)] })), [
    { from: grid.from, to: points[3], kind: 'none' },
  ]);
});

const acme = { region: 'eu', tenant_id: 'acme' };

function stream(seenAgo: number, complete: number | null, connections: number): Partial<Record<Name, Series[]>> {
  const lines = [
    at({ ...acme, kind: 'seen' }, (grid.newest - seenAgo) / 1000),
    at({ ...acme, kind: 'connections' }, connections),
    at({ kind: 'number' }, 1),
  ];
  if (complete !== null) lines.push(at({ ...acme, kind: 'complete' }, complete));
  return { streams: lines };
}

test('a stream is complete, incomplete, stopped or quiet', () => {
  const cases: [number, number | null, number, string, string][] = [
    [0, 1, 10, 'complete', 'live'],
    [0, 0, 10, 'incomplete', 'trouble'],
    [18_000, null, 10, 'stopped', 'stale'],
    [18_000, null, 0, 'quiet', 'stale'],
  ];
  for (const [ago, complete, connections, state, condition] of cases) {
    const p = snapshot(stream(ago, complete, connections));
    assert.equal(streamsOf(p)[0]!.state, state);
    assert.equal(conditionOf(p).state, condition);
  }
  assert.equal(conditionOf(snapshot({})).state, 'empty');
});

test('one stream that has stopped among others is trouble', () => {
  const p = snapshot({
    streams: [
      at({ region: 'eu', tenant_id: 'a', kind: 'seen' }, grid.newest / 1000),
      at({ region: 'eu', tenant_id: 'a', kind: 'complete' }, 1),
      at({ region: 'us', tenant_id: 'a', kind: 'seen' }, grid.newest / 1000 - 9),
      at({ region: 'us', tenant_id: 'a', kind: 'connections' }, 3),
    ],
  });
  assert.equal(conditionOf(p).state, 'trouble');
  assert.deepEqual(
    streamsOf(p).map((s) => [s.region, s.state]),
    [
      ['us', 'stopped'],
      ['eu', 'complete'],
    ],
  );
});

test('a strip has complete windows, some of them, and none', () => {
  const row = line(
    acme,
    full.map((_, i) => (i === 1 ? 0 : i === 2 ? null : 1)),
  );
  const p = snapshot({ ...stream(0, 1, 1), rows: [row] });
  assert.deepEqual(
    streamsOf(p)[0]!.runs.map((run) => run.kind),
    ['complete', 'partial', 'none', 'complete'],
  );
});

test('a gap is healed where the stream says so, and open elsewhere', () => {
  const row = line(
    acme,
    full.map((_, i) => (i === 1 || i === 3 || i === 6 ? 0 : i === 2 ? null : 1)),
  );
  const healed = (kind: string, time: number) => at({ ...acme, kind }, time / 1000);
  const p = snapshot({
    ...stream(0, 1, 1),
    rows: [row],
    streams: [
      ...(stream(0, 1, 1).streams as Series[]),
      healed('healed_since', points[0]! + 3_000),
      healed('healed_until', points[3]! - 2_000),
    ],
  });
  assert.deepEqual(
    streamsOf(p)[0]!.runs.map((run) => [run.kind, points.indexOf(run.to)]),
    [
      ['complete', 0],
      ['healed', 3],
      ['complete', 5],
      ['partial', 6],
      ['complete', points.length - 1],
    ],
  );
});

const rule = { rule: 'drop', severity: 'critical' };

/** firing is a series that fires at some of the points. */
function firing(labels: Record<string, string>, is: (index: number) => boolean): Series {
  return line(
    labels,
    points.map((_, i) => (is(i) ? 1 : null)),
  );
}

test('alerts fire from a first to a last window', () => {
  const [episode] = episodesOf(snapshot({ alerts: [firing({ ...rule, ...acme }, (i) => i >= 2 && i <= 4)] }));
  assert.deepEqual(episode, {
    rule: 'drop',
    severity: 'critical',
    where: 'eu · acme',
    start: points[1],
    end: points[4],
    lost: false,
  });
  const twice = episodesOf(snapshot({ alerts: [firing({ ...rule, ...acme }, (i) => i !== 4 && i < 8)] }));
  assert.deepEqual(
    twice.map((one) => [one.start, one.end]),
    [
      [points[4], points[7]],
      [grid.from, points[3]],
    ],
  );
});

test('an alert that nobody has resolved still fires, though there is no data of it', () => {
  const alerts = [firing({ ...rule, ...acme }, () => true)];
  const still = episodesOf(snapshot({ alerts, firing: [at({ ...rule, ...acme }, 1)] }));
  assert.deepEqual([still[0]!.end, still[0]!.lost], [undefined, false]);
  const silent = [firing({ ...rule, ...acme }, (i) => i <= 4)];
  const [lost] = episodesOf(snapshot({ alerts: silent, firing: [at({ ...rule, ...acme }, 1)] }));
  assert.deepEqual([lost!.end, lost!.lost], [undefined, true]);
  const [before] = episodesOf(snapshot({ firing: [at({ ...rule, ...acme }, 1)] }));
  assert.deepEqual([before!.start, before!.end, before!.lost], [grid.from, undefined, true]);
  const [ended] = episodesOf(snapshot({ alerts: silent }));
  assert.deepEqual([ended!.end, ended!.lost], [points[4], false]);
});

test('firings of one rule at one time are grouped, those that fire first', () => {
  const a = { ...rule, region: 'eu', tenant_id: 'a' };
  const b = { ...rule, region: 'eu', tenant_id: 'b' };
  const over = (from: number, to: number) => full.map((_, i) => (i >= from && i <= to ? 1 : null));
  const groups = grouped(
    episodesOf(
      snapshot({
        alerts: [line(a, over(1, 2)), line(b, over(2, 3)), line({ ...a, rule: 'skew' }, full)],
        firing: [at({ ...a, rule: 'skew' }, 1)],
      }),
    ),
  );
  assert.deepEqual(
    groups.map((group) => [group.rule, group.wheres.length, group.end === undefined]),
    [
      ['skew', 1, true],
      ['drop', 2, false],
    ],
  );
  assert.equal(groups[1]!.start, points[0]);
  assert.equal(groups[1]!.end, points[3]);
});

test('a total that is new has grown by its value', () => {
  const running = [at({ counter: 'messages_sent' }, 50)];
  assert.deepEqual(totalOf(snapshot({ running }), 'messages_sent'), { running: 50, added: 50 });
  const before = [at({ counter: 'messages_sent' }, 20)];
  assert.deepEqual(totalOf(snapshot({ running, before }), 'messages_sent'), { running: 50, added: 30 });
  assert.deepEqual(totalOf(snapshot({}), 'messages_sent'), { running: null, added: null });
});

test('a number that is absent while windows arrive is not reported, and a partial sum is marked', () => {
  const series = at({ kind: 'series' }, 3);
  assert.equal(absenceOf(snapshot({})), 'no window');
  assert.equal(absenceOf(snapshot({ now: [series] })), 'not reported by this platform');
  assert.equal(coverageOf(snapshot({ now: [series, at({ kind: 'drops_series' }, 2)] }), 'drops'), '2 of 3 series report');
  assert.equal(coverageOf(snapshot({ now: [series, at({ kind: 'drops_series' }, 3)] }), 'drops'), undefined);
  assert.equal(coverageOf(snapshot({ now: [series] }), 'connections'), undefined);
  assert.equal(windowsArrive(snapshot({})), false);
  assert.equal(windowsArrive(snapshot({ health: [line({ kind: 'present' }, full)] })), true);
});

test('regions are ordered by their drops', () => {
  const regions = regionsOf(
    snapshot({
      regions: [
        at({ kind: 'dropped', region: 'a' }, 1),
        at({ kind: 'dropped', region: 'b' }, 7),
        at({ kind: 'dropped' }, -1), // a counter that began anew
        at({ kind: 'closed', region: 'b' }, 10),
      ],
    }),
  );
  assert.deepEqual(regions, [
    { region: 'b', dropped: 7, closed: 10 },
    { region: 'a', dropped: 1, closed: null },
    { region: '', dropped: 0, closed: null },
  ]);
});

test('a threshold is named with the number of windows that its rule waits', () => {
  const limit = (severity: string) => line({ kind: 'threshold', rule: 'high', severity }, full);
  const some = snapshot({
    limits: [limit('warning'), limit('critical')],
    now: [
      at({ kind: 'for_connections', rule: 'high', severity: 'critical' }, 3),
      at({ kind: 'for_connections', rule: 'other', severity: 'warning' }, 9),
      at({ kind: 'for_drops' }, 1),
    ],
  });
  assert.deepEqual(
    limitsOf(some, 'limits', 'threshold').map(({ name }) => name),
    ['warning threshold', 'critical threshold, for 3 windows'],
  );
  assert.equal(thresholdOf(some, 'drops'), 'threshold, for 1 window');
  assert.equal(thresholdOf(some, 'skew'), 'threshold', 'a store without the metric');
});
