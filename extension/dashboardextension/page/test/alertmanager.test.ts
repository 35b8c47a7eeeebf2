// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  commonLabels,
  countsOf,
  linksOf,
  managedOf,
  matchedBy,
  matchersOf,
  parseMatchers,
  severityOf,
  titleOf,
  written,
} from '../src/alertmanager';
import { parse } from '../src/url';

const at = '2026-11-29T12:00:00.000Z';

function alert(labels: Record<string, string>, status = {}, annotations = {}) {
  return {
    labels: { alertname: 'ws_connection_drop_rate', severity: 'critical', region: 'eu-west-1', ...labels },
    annotations,
    startsAt: at,
    status: { state: 'active', silencedBy: [], inhibitedBy: [], mutedBy: [], ...status },
  };
}

function group(receiver: string, ...alerts: ReturnType<typeof alert>[]) {
  return { labels: { alertname: 'ws_connection_drop_rate', region: 'eu-west-1' }, receiver: { name: receiver }, alerts };
}

const everything = parse('');

test('a group has its alerts, the worst state first, and what they have in common', () => {
  const { groups } = managedOf(
    [
      group(
        'oncall',
        alert({ tenant_id: 'globex' }, { state: 'suppressed', silencedBy: ['1'] }),
        alert({ tenant_id: 'initech' }, { state: 'suppressed', inhibitedBy: ['2'] }),
        alert({ tenant_id: 'acme_corp' }),
        alert({ tenant_id: 'umbrella' }, { state: 'active', mutedBy: ['nights'] }),
      ),
    ],
    [],
    everything,
  );
  assert.equal(groups.length, 1);
  const [first] = groups;
  assert.equal(countsOf(first!), '1 firing, 1 silenced, 1 inhibited, 1 muted');
  assert.deepEqual(
    first!.alerts.map((one) => one.labels['tenant_id']),
    ['acme_corp', 'globex', 'initech', 'umbrella'],
  );
  assert.deepEqual(commonLabels(first!), { alertname: 'ws_connection_drop_rate', severity: 'critical', region: 'eu-west-1' });
  assert.equal(titleOf(first!), 'ws_connection_drop_rate');
  assert.equal(severityOf(first!), 'critical');
  assert.equal(first!.since, Date.parse(at));
});

test('two receivers of the same alerts are one group, and what notifies nobody comes last', () => {
  const { groups } = managedOf(
    [
      group('team', alert({ severity: 'warning' }, { silencedBy: ['1'] })),
      group('oncall', alert({})),
      group('team', alert({})),
    ],
    [],
    everything,
  );
  assert.deepEqual(
    groups.map((one) => one.receivers),
    [['oncall', 'team'], ['team']],
  );
});

test('the heartbeat is no alert, and what is selected decides about the others', () => {
  const responses = [group('oncall', alert({ alertname: 'Watchdog', severity: 'none' }), alert({ tenant_id: 'acme_corp' }), alert({ tenant_id: 'globex' }))];
  const all = managedOf(responses, [], everything);
  assert.equal(all.heartbeat, Date.parse(at));
  assert.equal(all.groups[0]!.alerts.length, 2);
  assert.equal(managedOf(responses, [], parse('?tenant=globex')).groups[0]!.alerts.length, 1);
  assert.equal(managedOf(responses, [], parse('?channel=voice')).groups[0]!.alerts.length, 2, 'it does not distinguish channel types');
  assert.equal(managedOf(responses, [], parse('?region=us-east-1')).groups.length, 0);
});

test('silences that are over are left out', () => {
  const silence = (id: string, state: string, endsAt: string) => ({
    id,
    status: { state },
    matchers: [{ name: 'region', value: 'eu', isRegex: false, isEqual: true }],
    startsAt: at,
    endsAt,
    createdBy: 'me',
    comment: 'known',
  });
  const { silences } = managedOf(
    [],
    [silence('a', 'active', '2026-11-29T14:00:00Z'), silence('b', 'expired', at), silence('c', 'pending', '2026-11-29T13:00:00Z')],
    everything,
  );
  assert.deepEqual(
    silences.map(({ id, state }) => [id, state]),
    [
      ['c', 'pending'],
      ['a', 'active'],
    ],
  );
});

test('what is not a response of Alertmanager is an error', () => {
  assert.throws(() => managedOf({}, [], everything), /Alertmanager/);
  assert.deepEqual(managedOf([null, 1, {}], [null], everything).groups, []);
});

test('matchers are written and read as amtool does', () => {
  const labels = { alertname: 'a "quoted" \\ name', region: 'eu-west-1' };
  const text = matchersOf(labels).map(written).join('\n');
  assert.equal(text, 'alertname="a \\"quoted\\" \\\\ name"\nregion="eu-west-1"');
  assert.deepEqual(parseMatchers(text), matchersOf(labels));
  assert.deepEqual(parseMatchers(' region =~ eu-.* \n\n tenant_id!="acme" '), [
    { name: 'region', value: 'eu-.*', isRegex: true, isEqual: true },
    { name: 'tenant_id', value: 'acme', isRegex: false, isEqual: false },
  ]);
  for (const bad of ['', 'region', 'region="eu', '1=2', 'tenant_id=~".*"', 'tenant_id!="a"']) {
    assert.throws(() => parseMatchers(bad), Error, bad);
  }
});

test('how many alerts matchers select is known before', () => {
  const { groups } = managedOf([group('oncall', alert({ tenant_id: 'acme_corp' }), alert({ tenant_id: 'globex' })), group('team', alert({ tenant_id: 'globex' }))], [], everything);
  assert.equal(matchedBy(parseMatchers('region=eu-west-1'), groups), 2, 'an alert of two receivers is one');
  assert.equal(matchedBy(parseMatchers('tenant_id=~"acme|glo"'), groups), 0, 'the full value has to match');
  assert.equal(matchedBy(parseMatchers('tenant_id=~"acme.*|glo.*"\ntenant_id!=globex'), groups), 1);
  assert.equal(matchedBy(parseMatchers('tenant_id=~"(?P<x>a)"'), groups), undefined);
});

test('an alert links to its traces and its runbook, and to nothing that is no web address', () => {
  const [id, other] = ['0af7651916cd43dd8448eb211c80319c', '5b8efff798038103d269b633813fc60c'];
  const linked = (annotations: Record<string, string>, traceAddress?: (id: string) => string | undefined) =>
    linksOf(managedOf([group('a', alert({}, {}, annotations))], [], everything).groups[0]!.alerts[0]!, traceAddress);
  assert.deepEqual(linked({ traces: `${id}, ${other}`, trace_url: 'https://tempo.example.com/' + id }), [
    { text: 'trace 0af76519', href: 'https://tempo.example.com/' + id },
    { text: 'trace 5b8efff7', href: 'https://tempo.example.com/' + other },
  ]);
  const jaeger = (trace: string) => 'https://jaeger.example.com/trace/' + trace;
  assert.deepEqual(linked({ traces: id! }, jaeger), [{ text: 'trace 0af76519', href: jaeger(id!) }]);
  assert.deepEqual(linked({ traces: id!, trace_url: 'https://tempo.example.com/' + id }, jaeger)[0]!.href, 'https://tempo.example.com/' + id);
  assert.deepEqual(linked({ traces: id! }, () => undefined)[0]!.href, undefined);
  assert.deepEqual(linked({ traces: id! }), [{ text: 'trace 0af76519', href: undefined }]);
  assert.deepEqual(linked({ runbook_url: 'https://runbooks.example.com/a' }), [{ text: 'runbook', href: 'https://runbooks.example.com/a' }]);
  assert.deepEqual(linked({ runbook_url: 'javascript:alert(1)', traces: id!, trace_url: 'data:text/html,' + id }), [
    { text: 'trace 0af76519', href: undefined },
  ]);
});
