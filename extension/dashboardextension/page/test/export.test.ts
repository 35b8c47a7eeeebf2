// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { csvOf, fixedLink, rowsOf } from '../src/export';
import { endOf, gridOf } from '../src/time';
import { parse } from '../src/url';

const schedule = { window: 10_000, step: 9_000, offset: 2_000 };
const grid = gridOf({ length: 60_000 }, endOf(188_888_888, schedule), schedule);

test('fields with separators are quoted', () => {
  assert.equal(csvOf([['a', 'b,c'], ['say "x"', '1\n2']]), 'a,"b,c"\r\n"say ""x""","1\n2"\r\n');
});

test('a missing value is an empty field, not 0', () => {
  const rows = rowsOf([{ name: 'connections', values: grid.points.map((_, index) => (index === 1 ? null : index)) }], grid);
  assert.deepEqual(rows[0], ['time', 'connections']);
  assert.equal(rows.length, grid.points.length + 1);
  assert.deepEqual(rows[1], [new Date(grid.points[0]!).toISOString(), '0']);
  assert.equal(rows[2]![1], '');
});

test('a link keeps the time range in view and the selection', () => {
  const shared = parse(fixedLink(parse('?region=eu&range=1h'), grid));
  assert.deepEqual(shared.range, { from: grid.from, to: grid.to });
  assert.equal(shared.region, 'eu');
});
