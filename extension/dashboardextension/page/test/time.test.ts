// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { due, endOf, gridOf, lastEnded, mostPoints, pollAt, windowsIn, type Schedule } from '../src/time';

const usual: Schedule = { window: 10_000, step: 9_000, offset: 2_000 };
const schedules: Schedule[] = [
  usual,
  { window: 10_000, step: 10_000, offset: 2_000 }, // tumbling
  { window: 10_000, step: 1_000, offset: 2_000 }, // sliding by a second
  { window: 700, step: 630, offset: 500 },
];

/** the end of a window */
const newest = endOf(188_888_888, usual);

// A repeatable stream of numbers, for properties.
function* moments(seed: number, count: number): Generator<number> {
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    yield 1_700_000_000_000 + (state % 1_000_000_000);
  }
}

test('windows of 10 s start every 9 s from the epoch', () => {
  assert.equal(endOf(0, usual), 10_000);
  assert.equal(endOf(1, usual), 19_000);
  assert.equal(lastEnded(18_999, usual), 0);
  assert.equal(lastEnded(19_000, usual), 1);
});

test('the page polls once per length of a window, two seconds after multiples of it', () => {
  assert.equal(pollAt(2, usual), 22_000);
  assert.equal(due(21_999, usual), 1);
  assert.equal(due(22_000, usual), 2);
});

test('between two polls is the length of a window, and the next is never past', () => {
  for (const s of schedules) {
    for (const now of moments(7, 2_000)) {
      const number = due(now, s);
      assert.ok(pollAt(number, s) <= now && now < pollAt(number + 1, s), `${now} ${JSON.stringify(s)}`);
      assert.equal(pollAt(number + 1, s) - pollAt(number, s), s.window);
    }
  }
});

test('the points of a grid are window ends, a step apart, and cover the range', () => {
  for (const s of schedules) {
    for (const now of moments(3, 200)) {
      for (const length of [60_000, 900_000, 3_600_000, 86_400_000, 90 * 86_400_000]) {
        const last = endOf(lastEnded(now, s), s);
        const g = gridOf({ length }, last, s);
        assert.ok(g.points.length <= mostPoints + 1, `${g.points.length} points`);
        for (const point of g.points) assert.equal((point - s.window) % s.step, 0);
        g.points.slice(1).forEach((point, i) => assert.equal(point - g.points[i]!, g.step));
        assert.ok(g.points[0]! > g.from && g.points[0]! - g.step <= g.from, 'begins with the range');
        assert.ok(g.points.at(-1)! >= g.to && g.points.at(-1)! - g.step < g.to, 'ends with the range');
        assert.equal(g.newest, last);
        assert.ok(g.live);
      }
    }
  }
});

test('a later poll moves no point', () => {
  const before = gridOf({ length: 86_400_000 }, newest, usual);
  const after = gridOf({ length: 86_400_000 }, newest + usual.step, usual);
  const common = before.points.filter((point) => point > after.points[0]! && point < before.points.at(-1)!);
  assert.ok(common.length > 150);
  for (const point of common) assert.ok(after.points.includes(point));
});

test('a fixed range that is over is not live, and its newest window is in it', () => {
  const g = gridOf({ from: 1_600_000_000_000, to: 1_600_000_900_000 }, newest, usual);
  assert.equal(g.live, false);
  assert.ok(g.newest <= 1_600_000_900_000 && g.newest > 1_600_000_900_000 - usual.step);
  assert.ok(gridOf({ from: 1_699_999_000_000, to: 1_700_000_900_000 }, newest, usual).live);
});

test('a point stands for as many windows as there are by now', () => {
  const g = gridOf({ length: 86_400_000 }, newest, usual);
  assert.equal(windowsIn(g.points[0]!, g, usual), g.step / usual.step);
  const last = g.points.at(-1)!;
  assert.equal(windowsIn(last, g, usual), (g.newest - (last - g.step)) / usual.step);
  assert.equal(windowsIn(last + 10 * g.step, g, usual), 0);
});
