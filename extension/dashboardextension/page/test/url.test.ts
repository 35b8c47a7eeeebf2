// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse, presets, rangeOf, stretch, write, type Choice } from '../src/url';

const usual: Choice = { range: { preset: '15m' }, region: '', tenant: '', channel: '', theme: 'auto', events: '' };

test('the plain address is the default', () => {
  assert.deepEqual(parse(''), usual);
  assert.equal(write(usual), '');
});

test('every choice survives the address', () => {
  const choices: Choice[] = [
    { ...usual, events: '2024-05-13T18:03:20.000Z/2024-05-13T18:03:30.000Z;drops;a%3Bb' },
    ...[...presets.keys()].map((preset): Choice => ({ ...usual, range: { preset } })),
    { ...usual, range: { from: 1_700_000_000_000, to: 1_700_000_060_001 } },
    { ...usual, region: 'eu-west-1', tenant: 'acme & sons', channel: 'web+messaging', theme: 'dark' },
    { ...usual, region: '"}) or vector(1) #', tenant: '<img src=x onerror=alert(1)>', channel: 'ключ', theme: 'light' },
  ];
  for (const choice of choices) assert.deepEqual(parse(write(choice)), choice);
});

test('invalid parts of the URL are ignored', () => {
  for (const search of [
    '?range=5y',
    '?from=yesterday&to=today',
    '?from=2026-01-02T00:00:00Z',
    '?theme=pink',
    '?range=',
  ]) {
    assert.deepEqual(parse(search), usual, search);
  }
  // An end before the beginning, less than a minute, and times that no store has.
  assert.deepEqual(parse('?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z'), usual);
  assert.deepEqual(parse('?from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:30Z'), usual);
  assert.deepEqual(parse('?from=2026-01-01T00:00:00Z&to=9999-01-01T00:00:00Z'), usual);
});

test('a stretch of time has a beginning and an end', () => {
  assert.equal(stretch(NaN, 5), undefined);
  assert.equal(stretch(0, 59_999), undefined);
  assert.deepEqual(stretch(0, 60_000), { from: 0, to: 60_000 });
});

test('a preset is a length of time', () => {
  assert.deepEqual(rangeOf({ ...usual, range: { preset: '6h' } }), { length: 21_600_000 });
  assert.deepEqual(rangeOf({ ...usual, range: { from: 1, to: 2 } }), { from: 1, to: 2 });
});
