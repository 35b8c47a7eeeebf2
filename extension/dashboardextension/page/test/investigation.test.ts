// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { channelOf, linesOf, lossText, outcomeOf, sessionOf, stepsOf, type Conversation, type Event, type Summary } from '../src/events';
import { linkTo, linkValues, parametersOf, parseInvestigation, windowsAt, writeInvestigation, type Investigation } from '../src/investigation';
import { gridOf } from '../src/time';
import { parse } from '../src/url';

const drops: Investigation = { from: 1_715_623_400_000, to: 1_715_623_410_000, focus: 'drops', channel: '' };

test('an investigation survives the URL', () => {
  for (const of of [drops, { ...drops, channel: 'a;b/c d%' }, { ...drops, focus: 'all' } as const]) {
    assert.deepEqual(parseInvestigation(writeInvestigation(of)), of);
  }
  for (const text of ['', 'x', '2024-05-13T00:00:00Z', '2024-05-13T00:00:00Z/2024-05-12T00:00:00Z;drops']) {
    assert.equal(parseInvestigation(text), undefined, text);
  }
  assert.deepEqual(parseInvestigation('2024-05-13T18:03:20Z/2024-05-13T18:03:30Z;toString;%'), { ...drops, focus: 'all' });
});

test('a point stands for its windows, from the start of the first to the end of the last', () => {
  const schedule = { window: 10_000, step: 9_000, offset: 2_000 };
  const grid = gridOf({ length: 900_000 }, 9_000_000 + 10_000, schedule);
  const point = grid.points[10]!;
  assert.deepEqual(windowsAt(point, grid, schedule), { from: point - 10_000, to: point });
  assert.deepEqual(windowsAt(point - 8_000, grid, schedule), { from: point - 10_000, to: point });
  assert.deepEqual(windowsAt(grid.newest + 99_000, grid, schedule).to, grid.newest);
});

test('the selection and the focus become parameters', () => {
  const choice = parse('?region=eu&tenant=acme&channel=voice');
  assert.equal(
    parametersOf(drops, choice).toString(),
    'start=1715623400000&end=1715623410000&region=eu&tenant_id=acme&channel_type=voice&abnormal=true',
  );
  const trouble = parametersOf({ ...drops, focus: 'trouble' }, choice);
  assert.equal(trouble.get('channel_type'), null);
  assert.ok(trouble.getAll('type').includes('protocol.violation'));
});

test('a link is filled in, or absent', () => {
  const values = linkValues(drops, parse('?tenant=a%26b'));
  assert.equal(
    linkTo('https://g/?from={start}&to={end_iso}&t={tenant_id}&x={unknown}', values),
    'https://g/?from=1715623400000&to=2024-05-13T18%3A03%3A30.000Z&t=a%26b&x=',
  );
  assert.equal(linkTo('https://g/{trace_id}', values), undefined);
  assert.equal(linkTo('https://g/{trace_id}', linkValues(drops, parse(''), 'abc')), 'https://g/abc');
});

const event = (type: string, timestamp: number, more: Partial<Event> = {}): Event => ({
  type,
  timestamp,
  tenant_id: 'acme',
  region: 'eu',
  channel_type: 'web',
  ...more,
});

test('a conversation is a timeline with its gaps and its session', () => {
  const conversation: Conversation = {
    channel_id: 'c',
    complete: false,
    truncated: false,
    events: [
      event('connection.open', 1000),
      event('message.send', 1500),
      event('connection.close', 9000),
      event('ws_session', 9000, { body: { outcome: 'dropped' } }),
    ],
    gaps: [event('stream.gap', 4000, { attributes: { 'ccaas.gap.start': 2000, 'ccaas.gap.end': 4000 } })],
  };
  assert.deepEqual(
    stepsOf(conversation).map(({ offset, wait, gap }) => [offset, wait, gap]),
    [
      [0, 0, false],
      [500, 500, false],
      [8000, 7500, true],
    ],
  );
  assert.deepEqual(sessionOf(conversation), { outcome: 'dropped' });
  assert.equal(sessionOf({ ...conversation, events: [] }), undefined);
});

test('losses are named', () => {
  const summary: Summary = { events: 1, complete: true, oldest: 1000, types: [], closes: [], minutes: [] };
  assert.equal(lossText(summary, 1000), undefined);
  assert.match(lossText(summary, 999)!, /nothing is stored before 1970/);
  assert.equal(
    lossText(
      {
        ...summary,
        complete: false,
        minutes: [
          { start: 0, events: 1, complete: false, lost: { overload: 2, not_running: 0 } },
          { start: 60_000, events: 1, complete: false, lost: { overload: 3 } },
        ],
      },
      1000,
    ),
    'Events of this time are missing: 5 because of overload, not running.',
  );
  assert.match(lossText({ ...summary, complete: false }, 1000)!, /missing/);
});

test('lines are events', () => {
  assert.deepEqual(linesOf('{"timestamp":1}\n{"timestamp":2}\n'), [{ timestamp: 1 }, { timestamp: 2 }]);
  assert.deepEqual(linesOf(''), []);
});

test('a session record names its channel in its body', () => {
  const event = { timestamp: 0, type: 'ws_session', tenant_id: '', region: '', channel_type: '' };
  assert.equal(channelOf({ ...event, body: { channel_id: 'c-1' } }), 'c-1');
  assert.equal(channelOf({ ...event, type: 'message.send', channel_id: 'c-2', body: { channel_id: 'c-1' } }), 'c-2');
  assert.equal(channelOf({ ...event, type: 'message.send', body: { channel_id: 'c-1' } }), undefined);
  for (const body of ['text', null, undefined, {}, { channel_id: 5 }]) assert.equal(channelOf({ ...event, body }), undefined);
});

test('a session is listed by its outcome', () => {
  const session = { timestamp: 0, type: 'ws_session', tenant_id: '', region: '', channel_type: '' };
  assert.equal(outcomeOf({ ...session, body: { outcome: 'dropped', start: 1_000, end: 62_000, sampled: true } }), 'dropped, after 1 min 1 s, with a trace');
  assert.equal(outcomeOf({ ...session, body: { outcome: 'closed', sampled: false } }), 'closed');
  assert.equal(outcomeOf({ ...session, type: 'message.send', body: { outcome: 'closed' } }), '');
  for (const body of ['text', null, undefined, {}]) assert.equal(outcomeOf({ ...session, body }), '');
});
