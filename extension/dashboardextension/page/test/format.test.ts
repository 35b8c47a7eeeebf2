// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  bytesPerSecond,
  count,
  duration,
  milliseconds,
  none,
  percent,
  perSecond,
  plural,
  scaleTo,
  seconds,
  total,
  written,
} from '../src/format';

test('numbers are written with their units', () => {
  const cases: [string, string][] = [
    [written(0, count), '0'],
    [written(1_234, count), '1,234'],
    [written(99_999, count), '99,999'],
    [written(99_999.6, count), '100 k'],
    [written(1_234_567, count), '1.23 M'],
    [written(38.46, perSecond), '38.5 /s'],
    [written(12_345, perSecond), '12.3 k/s'],
    [written(999, bytesPerSecond), '999 B/s'],
    [written(999.6, bytesPerSecond), '1 kB/s'],
    [written(19_540, bytesPerSecond), '19.5 kB/s'],
    [written(0.0421, seconds), '42.1 ms'],
    [written(1.5, seconds), '1.5 s'],
    [written(90, seconds), '90 s'],
    [written(1_200, seconds), '20 min'],
    [written(36_000, seconds), '10 h'],
    [written(0.5, percent), '0.5 %'],
    [written(33.333, percent), '33.3 %'],
    [written(-1.049, milliseconds), '−1.05 ms'],
    [written(259.4, milliseconds), '+259 ms'],
    [written(-90_000, milliseconds), '−90 s'],
    [written(999_999, total), '999,999'],
    [written(12_345_678, total), '12.3 M'],
    [written(null, count), none],
    [written(NaN, count), none],
  ];
  for (const [got, want] of cases) assert.equal(got, want);
});

test('lengths of time have their two largest units', () => {
  const cases: [number, string][] = [
    [0, '0 s'],
    [9_000, '9 s'],
    [60_000, '1 min'],
    [90_000, '1 min 30 s'],
    [3_600_000, '1 h'],
    [3_661_000, '1 h 1 min'],
    [90 * 86_400_000 + 3_000, '90 d'],
    [-5, '0 s'],
  ];
  for (const [length, want] of cases) assert.equal(duration(length), want);
});

test('one thing, several things', () => {
  assert.equal(plural(1, 'stream'), '1 stream');
  assert.equal(plural(0, 'stream'), '0 streams');
  assert.equal(plural(2, 'series', 'series'), '2 series');
});

test('a gauge ends at a round number beyond its peak', () => {
  for (let peak = 0.5; peak < 1e9; peak *= 1.37) {
    const end = scaleTo(peak);
    assert.ok(end > peak && end <= Math.max(1, peak) * 2.2, `${peak} on ${end}`);
  }
});
