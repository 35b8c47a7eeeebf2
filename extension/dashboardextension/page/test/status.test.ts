// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { About, Result, Series, Trouble } from '../src/api';
import type { Snapshot } from '../src/snapshot';
import type { PageState } from '../src/poll';
import { queries, type Name } from '../src/queries';
import { warning } from '../src/status';
import { endOf, gridOf, type Range } from '../src/time';
import { parse } from '../src/url';

const schedule = { window: 10_000, step: 9_000, offset: 2_000 };
const now = endOf(188_888_888, schedule);

/** page is the state with a stream whose last window ended some time ago. */
function page(ago: number, troubles: Trouble[] = [], range: Range = { length: 90_000 }): PageState {
  const grid = gridOf(range, now, schedule);
  const stream = { region: 'eu', tenant_id: 'acme', kind: 'seen' };
  const seen: Series = { labels: stream, points: new Map([[grid.newest, (now - ago) / 1000]]) };
  const results = {} as Record<Name, Result>;
  for (const name of Object.keys(queries(parse(''), grid, schedule)) as Name[]) {
    results[name] = { series: name === 'streams' ? [seen] : [] };
  }
  const snapshot: Snapshot = { choice: parse(''), grid, schedule, taken: now, results, marks: [] };
  const about: About = { version: '1', source: 'embedded', schedule, newest: now, troubles, alertmanager: false, silence: false, eventsKept: 0, links: [], clock: 0 };
  return { about, snapshot, options: { regions: [], tenants: [], channels: [] }, error: undefined, loading: false };
}

const refused: Trouble = { component: 'ccaas_ws', since: now - 60_000, error: 'not reading: downstream refuses events since 07:22' };
const lost: Trouble = { component: 'ccaas_ws/eu', since: now - 60_000, error: 'no socket lasts: dial tcp: refused' };

test('nothing is warned of while windows come', () => {
  assert.equal(warning(page(0)), undefined);
});

test('while a receiver does not read, the page warns, and since when', () => {
  const text = warning(page(0, [refused]))!;
  assert.match(text, /^We are not reading \(ccaas_ws\): /);
  assert.match(text, /is not counted\. Not reading: downstream refuses events since 07:22\.$/);
  assert.match(warning(page(60_000, [lost, refused]))!, /^We are not reading \(ccaas_ws\): /, 'that is the cause');
});

test('when no windows arrive, the page shows since when, and what receivers report', () => {
  assert.match(warning(page(60_000))!, /^No windows since \d[^.]*\.$/);
  assert.match(warning(page(60_000, [lost]))!, /ccaas_ws\/eu, since .*: No socket lasts: dial tcp: refused\.$/);
  assert.match(warning(page(0, [lost]))!, /^A receiver reports an error\. ccaas_ws\/eu, since /);
});

test('a fixed range has no warning about the present', () => {
  assert.equal(warning(page(60_000, [refused], { from: now - 900_000, to: now - 90_000 })), undefined);
});
