// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// What Alertmanager knows of the alerts of now: their groups, their state, and the silences. Nothing here fetches
// or draws.

import { whereOf } from './snapshot';
import type { Choice } from './url';

export type Labels = Record<string, string>;

/** AlertState is what Alertmanager does with an alert that fires. */
export type AlertState = 'firing' | 'silenced' | 'inhibited' | 'muted';

/** states in the order in which they are shown: what notifies somebody comes first. */
export const states: readonly AlertState[] = ['firing', 'silenced', 'inhibited', 'muted'];

export interface ManagedAlert {
  labels: Labels;
  annotations: Labels;
  state: AlertState;
  /** since when it fires, unix ms */
  since: number;
  /** IDs of the silences that match it */
  silencedBy: string[];
}

/** AlertGroup is alerts that are one notification. */
export interface AlertGroup {
  key: string;
  /** the labels that all of its alerts have, by which they are grouped */
  labels: Labels;
  receivers: string[];
  alerts: ManagedAlert[];
  since: number;
}

export interface Matcher {
  name: string;
  value: string;
  isRegex: boolean;
  isEqual: boolean;
}

export interface Silence {
  id: string;
  state: 'active' | 'pending';
  matchers: Matcher[];
  /** unix ms */
  from: number;
  to: number;
  author: string;
  comment: string;
}

/** Managed is one response of Alertmanager. */
export interface Managed {
  groups: AlertGroup[];
  silences: Silence[];
  /** since when the heartbeat arrives; undefined without one */
  heartbeat: number | undefined;
}

type Json = Record<string, unknown>;

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function labelsOf(value: unknown): Labels {
  return Object.fromEntries(Object.entries(object(value)).map(([name, text]) => [name, String(text)]));
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function stateOf(status: Json): AlertState {
  if (texts(status['silencedBy']).length > 0) return 'silenced';
  if (texts(status['inhibitedBy']).length > 0) return 'inhibited';
  return texts(status['mutedBy']).length > 0 ? 'muted' : 'firing';
}

function alertOf(alert: Json): ManagedAlert {
  const status = object(alert['status']);
  return {
    labels: labelsOf(alert['labels']),
    annotations: labelsOf(alert['annotations']),
    state: stateOf(status),
    since: Date.parse(String(alert['startsAt'])),
    silencedBy: texts(status['silencedBy']),
  };
}

/** beats reports whether an alert is the alert connector's heartbeat, which always fires. */
function beats(alert: ManagedAlert): boolean {
  return alert.labels['severity'] === 'none';
}

/** concerns reports whether an alert is about what is selected; one that does not distinguish it is. */
function concerns(alert: ManagedAlert, choice: Choice): boolean {
  const same = (name: string, chosen: string) => chosen === '' || (alert.labels[name] ?? chosen) === chosen;
  return same('region', choice.region) && same('tenant_id', choice.tenant) && same('channel_type', choice.channel);
}

const severities = ['critical', 'error', 'warning'];

/** rank orders severities, the worst first. */
function rank(group: AlertGroup): number {
  const ranks = group.alerts.map((alert) => severities.indexOf(alert.labels['severity'] ?? ''));
  return Math.min(...ranks.map((index) => (index < 0 ? severities.length : index)));
}

/** notifies reports whether some alert of a group is not suppressed. */
export function notifies(group: AlertGroup): boolean {
  return group.alerts.some((alert) => alert.state === 'firing');
}

/** managedOf reads the responses of /api/v2/alerts/groups and /api/v2/silences. */
export function managedOf(groups: unknown, silences: unknown, choice: Choice): Managed {
  if (!Array.isArray(groups) || !Array.isArray(silences)) throw new Error('the response is not one of Alertmanager');
  const byKey = new Map<string, AlertGroup>();
  let heartbeat: number | undefined;
  for (const group of list(groups)) {
    const labels = labelsOf(group['labels']);
    const all = list(group['alerts']).map(alertOf);
    for (const alert of all.filter(beats)) heartbeat = Math.min(heartbeat ?? alert.since, alert.since);
    const alerts = all.filter((alert) => !beats(alert) && concerns(alert, choice));
    if (alerts.length === 0) continue;
    const receiver = String(object(group['receiver'])['name'] ?? '');
    // Two receivers of the same alerts are one group to whoever looks.
    const key = JSON.stringify([labels, alerts.map((alert) => whereOf(alert.labels) + alert.labels['severity']).sort()]);
    const known = byKey.get(key);
    if (known) {
      known.receivers.push(receiver);
      continue;
    }
    alerts.sort(
      (a, b) => states.indexOf(a.state) - states.indexOf(b.state) || whereOf(a.labels).localeCompare(whereOf(b.labels)),
    );
    byKey.set(key, { key, labels, receivers: [receiver], alerts, since: Math.min(...alerts.map((alert) => alert.since)) });
  }
  const sorted = [...byKey.values()].sort(
    (a, b) => Number(notifies(b)) - Number(notifies(a)) || rank(a) - rank(b) || b.since - a.since,
  );
  return { groups: sorted, silences: silencesOf(silences), heartbeat };
}

function silencesOf(silences: unknown): Silence[] {
  return list(silences)
    .filter((silence) => object(silence['status'])['state'] !== 'expired')
    .map((silence) => ({
      id: String(silence['id']),
      state: object(silence['status'])['state'] === 'pending' ? ('pending' as const) : ('active' as const),
      matchers: list(silence['matchers']).map((matcher) => ({
        name: String(matcher['name']),
        value: String(matcher['value']),
        isRegex: matcher['isRegex'] === true,
        isEqual: matcher['isEqual'] !== false,
      })),
      from: Date.parse(String(silence['startsAt'])),
      to: Date.parse(String(silence['endsAt'])),
      author: String(silence['createdBy']),
      comment: String(silence['comment']),
    }))
    .sort((a, b) => a.to - b.to);
}

/** countsOf says how many alerts of a group are in which state. */
export function countsOf(group: AlertGroup): string {
  return states
    .map((state) => [group.alerts.filter((alert) => alert.state === state).length, state] as const)
    .filter(([number]) => number > 0)
    .map(([number, state]) => `${number} ${state}`)
    .join(', ');
}

/** titleOf names a group: the rule, and what else its alerts have in common. */
export function titleOf(group: AlertGroup): string {
  const names = [...new Set(group.alerts.map((alert) => alert.labels['alertname'] ?? ''))];
  return group.labels['alertname'] ?? (names.length === 1 ? names[0]! : `${names.length} rules`);
}

/** severityOf is the worst severity of a group. */
export function severityOf(group: AlertGroup): string {
  return severities[rank(group)] ?? group.alerts[0]?.labels['severity'] ?? '';
}

/** matchersOf select the alerts that have some labels. */
export function matchersOf(labels: Labels): Matcher[] {
  return Object.entries(labels).map(([name, value]) => ({ name, value, isRegex: false, isEqual: true }));
}

/** commonLabels are the labels that all alerts of a group have with the same value. */
export function commonLabels(group: AlertGroup): Labels {
  const [first, ...others] = group.alerts;
  return Object.fromEntries(
    Object.entries(first?.labels ?? {}).filter(([name, value]) => others.every((alert) => alert.labels[name] === value)),
  );
}

const operators = { truetrue: '=~', truefalse: '!~', falsetrue: '=', falsefalse: '!=' } as const;

/** written writes a matcher as amtool does. */
export function written(matcher: Matcher): string {
  const operator = operators[`${matcher.isRegex}${matcher.isEqual}`];
  return matcher.name + operator + JSON.stringify(matcher.value);
}

/** parseMatchers reads matchers, one a line: name="value", with =, !=, =~ or !~; the quotes may be left out. */
export function parseMatchers(text: string): Matcher[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) throw new Error('At least one matcher is needed.');
  const matchers = lines.map((line) => {
    const [, name, operator, rest] = /^([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(.*)$/.exec(line) ?? [];
    if (!name || !operator) throw new Error(`${line}: must be name="value", with =, !=, =~ or !~.`);
    let value = rest ?? '';
    if (value.startsWith('"')) {
      try {
        value = String(JSON.parse(value));
      } catch {
        throw new Error(`${line}: the quotation marks do not match.`);
      }
    }
    return { name, value, isRegex: operator.endsWith('~'), isEqual: !operator.startsWith('!') };
  });
  if (matchers.every((matcher) => selects(matcher, '') === true)) throw new Error('At least one matcher must need a label.');
  return matchers;
}

/**
 * selects reports whether a matcher selects a value; a label that is absent is empty. Undefined is for an expression of
 * RE2 that the browser does not know.
 */
function selects(matcher: Matcher, value: string): boolean | undefined {
  if (!matcher.isRegex) return (matcher.value === value) === matcher.isEqual;
  try {
    return new RegExp(`^(?:${matcher.value})$`, 's').test(value) === matcher.isEqual;
  } catch {
    return undefined;
  }
}

/** matchedBy counts the alerts that matchers select; undefined where the browser cannot say. */
export function matchedBy(matchers: Matcher[], groups: AlertGroup[]): number | undefined {
  if (matchers.some((matcher) => selects(matcher, '') === undefined)) return undefined;
  const keys = new Set<string>();
  for (const { labels } of groups.flatMap((group) => group.alerts)) {
    if (matchers.every((matcher) => selects(matcher, labels[matcher.name] ?? ''))) {
      keys.add(JSON.stringify(Object.entries(labels).sort()));
    }
  }
  return keys.size;
}

/** Link is where a trace of an alert, or its runbook, is. */
export interface Link {
  text: string;
  /** undefined for a trace of which only the ID is known */
  href: string | undefined;
}

const mostTraces = 5;

/** address is a web address, and nothing else. */
function address(text: string | undefined): string | undefined {
  return text !== undefined && /^https?:\/\/\S+$/.test(text) ? text : undefined;
}

/**
 * linksOf are the runbook of an alert and its traces. trace_url is the address of the first of them; without it
 * traceAddress is what the page's own configuration has.
 */
export function linksOf({ annotations }: ManagedAlert, traceAddress?: (id: string) => string | undefined): Link[] {
  const links: Link[] = [];
  const runbook = address(annotations['runbook_url']);
  if (runbook) links.push({ text: 'runbook', href: runbook });
  const url = address(annotations['trace_url']);
  const ids = (annotations['traces'] ?? '').match(/\b[0-9a-f]{32}\b/g) ?? [];
  for (const id of ids.slice(0, mostTraces)) {
    links.push({ text: 'trace ' + id.slice(0, 8), href: url?.includes(ids[0]!) ? url.replaceAll(ids[0]!, id) : address(traceAddress?.(id)) });
  }
  return links;
}
