// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// What the panels show, derived from the results of the queries. Nothing here fetches or draws.

import type { Mark, Result, Series } from './api';
import { plural } from './format';
import type { Name } from './queries';
import { windowsIn, type Grid, type Schedule } from './time';
import type { Choice } from './url';

/** Snapshot is the result of one poll. */
export interface Snapshot {
  choice: Choice;
  grid: Grid;
  schedule: Schedule;
  /** when it was polled, by the server's clock */
  taken: number;
  results: Record<Name, Result>;
  /** sampled sessions that were dropped, in order of time */
  marks: Mark[];
}

export type Values = (number | null)[];

/** errorOf is why a query failed. */
export function errorOf(snapshot: Snapshot, ...names: Name[]): string | undefined {
  for (const name of names) {
    const result = snapshot.results[name];
    if ('error' in result) return result.error;
  }
  return undefined;
}

/** seriesOf is the lines of a result, of one kind where it has several. */
export function seriesOf(snapshot: Snapshot, name: Name, kind?: string): Series[] {
  const result = snapshot.results[name];
  if ('error' in result) return [];
  return kind === undefined ? result.series : result.series.filter((series) => series.labels['kind'] === kind);
}

function onGrid(series: Series, grid: Grid): Values {
  return grid.points.map((point) => series.points.get(point) ?? null);
}

/** valuesOf is a line at the points of the grid, null where there is none. */
export function valuesOf(snapshot: Snapshot, name: Name, kind?: string): Values {
  const [series] = seriesOf(snapshot, name, kind);
  return series ? onGrid(series, snapshot.grid) : snapshot.grid.points.map(() => null);
}

function only(series: Series | undefined): number | null {
  return series?.points.values().next().value ?? null;
}

/** numberOf is the value of an instant query. */
export function numberOf(snapshot: Snapshot, name: Name, kind?: string): number | null {
  return only(seriesOf(snapshot, name, kind)[0]);
}

/** numberOfLast is the latest value of a line. */
export function numberOfLast(values: Values): number | null {
  return values.findLast((value) => value !== null) ?? null;
}

/** notReported is shown where a number is absent though windows arrive: it is unknown, not 0. */
export const notReported = 'not reported by this platform';

/** windowsArrive reports whether any stream has a window in the range. */
export function windowsArrive(snapshot: Snapshot): boolean {
  return valuesOf(snapshot, 'health', 'present').some((value) => value !== null && value > 0);
}

/** absenceOf is why there is no number for the newest window. */
export function absenceOf(snapshot: Snapshot): string {
  return (numberOf(snapshot, 'now', 'series') ?? 0) > 0 ? notReported : 'no window';
}

/** coverageOf is how many series report a number, where some of them do not. */
export function coverageOf(snapshot: Snapshot, name: string): string | undefined {
  const all = numberOf(snapshot, 'now', 'series');
  const some = numberOf(snapshot, 'now', name + '_series');
  if (all === null || some === null || some >= all) return undefined;
  return `${some} of ${all} series report`;
}

/** indexAt is the point of the grid that stands for a time. */
export function indexAt({ points, step }: Grid, time: number): number {
  return Math.min(points.length - 1, Math.max(0, Math.ceil((time - points[0]!) / step)));
}

/** marksAt are the marks of a point of the grid. */
export function marksAt(snapshot: Snapshot, index: number): Mark[] {
  return snapshot.marks.filter((mark) => indexAt(snapshot.grid, mark.time) === index);
}

export interface Line {
  name: string;
  values: Values;
}

/** linesBy gives a line for each value of a label, in the order of their names. */
export function linesBy(snapshot: Snapshot, name: Name, kind: string, label: string): Line[] {
  return seriesOf(snapshot, name, kind)
    .map((series) => ({ name: series.labels[label] ?? '', values: onGrid(series, snapshot.grid) }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

/** named adds to the name of a threshold for how many windows the rule waits, where that is known. */
function named(text: string, windows: number | null): string {
  return windows === null ? text : `${text}, for ${plural(windows, 'window')}`;
}

/** thresholdOf names the threshold of a panel that draws the one of its strictest rule. */
export function thresholdOf(snapshot: Snapshot, panel: 'drops' | 'skew'): string {
  return named('threshold', numberOf(snapshot, 'now', 'for_' + panel));
}

/** limitsOf gives the lines of a kind of limit, each named by what distinguishes it from the others. */
export function limitsOf(snapshot: Snapshot, name: Name, kind: string): Line[] {
  const all = seriesOf(snapshot, name, kind).slice(0, 4);
  const several = (label: string) => new Set(all.map((series) => series.labels[label])).size > 1;
  return all.map((series) => {
    const { rule = '', severity = '' } = series.labels;
    let text = several('severity') ? `${severity} ${kind}` : kind;
    if (several('rule')) text += ' of ' + rule;
    if (kind === 'threshold') text = named(text, waitOf(snapshot, rule, severity));
    return { name: text, values: onGrid(series, snapshot.grid) };
  });
}

/** waitOf is for how many windows connections have to exceed the threshold of a rule. */
function waitOf(snapshot: Snapshot, rule: string, severity: string): number | null {
  const waits = seriesOf(snapshot, 'now', 'for_connections');
  return only(waits.find(({ labels }) => (labels['rule'] ?? '') === rule && (labels['severity'] ?? '') === severity));
}

/** Run is a stretch of time that is all of a kind. */
export interface Run<Kind> {
  from: number;
  to: number;
  kind: Kind;
}

/** Band is a stretch of time without a window of any stream, or with not all of them complete. */
export type Band = Run<'none' | 'partial'>;

/** runs joins neighbouring points of the same kind, from where the record begins. */
function runs<K>(grid: Grid, begin: number, kindOf: (index: number) => K | undefined): Run<K>[] {
  const found: Run<K>[] = [];
  grid.points.forEach((point, index) => {
    if (point - grid.step >= grid.newest || point <= begin) return;
    const kind = kindOf(index);
    if (kind === undefined) return;
    const from = Math.max(point - grid.step, grid.from);
    const to = Math.min(point, grid.to);
    const last = found.at(-1);
    if (last && last.kind === kind && last.to >= from) last.to = to;
    else if (to > from) found.push({ from, to, kind });
  });
  return found;
}

/** beginOf is where the record begins: time before the first window ever is no gap. */
function beginOf(snapshot: Snapshot): number {
  const { grid } = snapshot;
  const before = snapshot.results.before;
  if ('error' in before || before.series.length > 0) return grid.from; // there was something before the range
  const first = valuesOf(snapshot, 'health', 'present').findIndex((value) => value !== null);
  return first < 0 ? grid.from : grid.points[first]! - grid.step;
}

/** bandsOf is where the data shown are incomplete. */
export function bandsOf(snapshot: Snapshot): Band[] {
  if (errorOf(snapshot, 'health')) return [];
  const present = valuesOf(snapshot, 'health', 'present');
  const incomplete = valuesOf(snapshot, 'health', 'incomplete');
  const stopped = valuesOf(snapshot, 'health', 'stopped');
  return runs(snapshot.grid, beginOf(snapshot), (index) => {
    if (!present[index]) return 'none';
    return incomplete[index] || stopped[index] ? 'partial' : undefined;
  });
}

/**
 * Completeness of the windows of a stream at a point: all there and complete, some of them, or none there; healed where
 * they are not complete, and what was opened and closed is known nevertheless.
 */
export type Completeness = 'complete' | 'partial' | 'healed' | 'none';

export type StreamState = 'complete' | 'incomplete' | 'stopped' | 'quiet';

export interface Stream {
  region: string;
  tenant: string;
  state: StreamState;
  /** end of its last window */
  seen: number;
  /** connections in its last window */
  connections: number | null;
  runs: Run<Completeness>[];
}

const badness: Record<StreamState, number> = { stopped: 0, incomplete: 1, complete: 2, quiet: 3 };

function streamKey(labels: Record<string, string>): string {
  return JSON.stringify([labels['region'] ?? '', labels['tenant_id'] ?? '']);
}

/** streamsOf gives the streams, those in trouble first. */
export function streamsOf(snapshot: Snapshot): Stream[] {
  const { grid, schedule } = snapshot;
  const begin = beginOf(snapshot);
  const by = (name: Name, kind?: string) =>
    new Map(seriesOf(snapshot, name, kind).map((series) => [streamKey(series.labels), series]));
  const rows = by('rows');
  const complete = by('streams', 'complete');
  const connections = by('streams', 'connections');
  const since = by('streams', 'healed_since');
  const until = by('streams', 'healed_until');
  const streams = seriesOf(snapshot, 'streams', 'seen').map((series): Stream => {
    const key = streamKey(series.labels);
    const row = rows.get(key);
    const seen = Math.round((only(series) ?? 0) * 1000);
    const open = only(connections.get(key));
    const healed = { since: 1000 * (only(since.get(key)) ?? Infinity), until: 1000 * (only(until.get(key)) ?? -Infinity) };
    const onTime = seen > grid.newest - schedule.step;
    let state: StreamState;
    if (onTime) state = only(complete.get(key)) === 0 ? 'incomplete' : 'complete';
    else state = open ? 'stopped' : 'quiet';
    return {
      region: series.labels['region'] ?? '',
      tenant: series.labels['tenant_id'] ?? '',
      state,
      seen,
      connections: open,
      runs: runs(grid, begin, (index) => completenessAt(row, grid.points[index]!, grid, schedule, healed)),
    };
  });
  return streams.sort(
    (a, b) =>
      badness[a.state] - badness[b.state] || a.region.localeCompare(b.region) || a.tenant.localeCompare(b.tenant),
  );
}

/** Healed is a time in which every gap of a stream is healed. */
interface Healed {
  since: number;
  until: number;
}

function completenessAt(
  row: Series | undefined,
  point: number,
  grid: Grid,
  schedule: Schedule,
  healed: Healed,
): Completeness {
  const value = row?.points.get(point);
  if (value !== undefined && value >= windowsIn(point, grid, schedule)) return 'complete';
  // The first window of the point may have begun before the gap has ended.
  if (point > healed.since && point - grid.step < healed.until + schedule.window - schedule.step) return 'healed';
  return value === undefined ? 'none' : 'partial';
}

/** Episode is one firing of a rule for one series. */
export interface Episode {
  rule: string;
  severity: string;
  where: string;
  start: number;
  /** undefined while it fires */
  end: number | undefined;
  /** by its last known state it fires, but there is no data since */
  lost: boolean;
}

/** whereOf names a series by its dimensions. */
export function whereOf(labels: Record<string, string>): string {
  return (
    ['region', 'tenant_id', 'channel_type']
      .map((name) => labels[name] ?? '')
      .filter((value) => value !== '')
      .join(' · ') || 'all series'
  );
}

/** episodesOf reads the firings out of the states of the rules, the latest first. */
export function episodesOf(snapshot: Snapshot): Episode[] {
  const { grid } = snapshot;
  const keyOf = (labels: Record<string, string>) =>
    JSON.stringify([labels['rule'], labels['severity'], whereOf(labels)]);
  const fired = new Map(seriesOf(snapshot, 'alerts').map((series) => [keyOf(series.labels), series]));
  const firing = new Map(seriesOf(snapshot, 'firing').map((series) => [keyOf(series.labels), series]));
  const episodes = [...new Map([...fired, ...firing])].flatMap(([key, { labels }]) => {
    const points = fired.get(key)?.points;
    const times = runs(grid, -Infinity, (index) => (points?.has(grid.points[index]!) ? 'fires' : undefined));
    if (times.length === 0) times.push({ from: grid.from, to: grid.from, kind: 'fires' });
    return times.map((run, index): Episode => {
      const still = index === times.length - 1 && firing.has(key);
      return {
        rule: labels['rule'] ?? '',
        severity: labels['severity'] ?? '',
        where: whereOf(labels),
        start: run.from,
        end: still ? undefined : run.to,
        lost: still && run.to < grid.newest,
      };
    });
  });
  return episodes.sort((a, b) => b.start - a.start || a.where.localeCompare(b.where));
}

/** Group is the episodes of a rule that belong together, because they overlap. */
export interface Group {
  rule: string;
  severity: string;
  wheres: string[];
  start: number;
  end: number | undefined;
  lost: boolean;
}

/** grouped joins the episodes of a rule that overlap in time, and are alike in firing or not. */
export function grouped(episodes: Episode[]): Group[] {
  const groups: Group[] = [];
  for (const episode of episodes) {
    const firing = episode.end === undefined;
    const group = groups.find(
      (other) =>
        other.rule === episode.rule &&
        other.severity === episode.severity &&
        (other.end === undefined) === firing &&
        other.lost === episode.lost &&
        (firing || (episode.start <= other.end! && other.start <= episode.end!)),
    );
    if (!group) {
      groups.push({ ...episode, wheres: [episode.where] });
      continue;
    }
    if (!group.wheres.includes(episode.where)) group.wheres.push(episode.where);
    group.start = Math.min(group.start, episode.start);
    if (!firing) group.end = Math.max(group.end!, episode.end!);
  }
  return groups.sort((a, b) => Number(a.end !== undefined) - Number(b.end !== undefined) || b.start - a.start);
}

/** Condition is the state of all streams together. */
export interface Condition {
  state: 'live' | 'trouble' | 'stale' | 'empty' | 'fixed';
  /** end of the newest window that any stream has */
  seen: number | undefined;
  streams: Record<StreamState, number>;
}

/** conditionOf is whether the data shown can be trusted. */
export function conditionOf(snapshot: Snapshot): Condition {
  const streams: Record<StreamState, number> = { complete: 0, incomplete: 0, stopped: 0, quiet: 0 };
  let seen: number | undefined;
  for (const stream of streamsOf(snapshot)) {
    streams[stream.state]++;
    seen = Math.max(seen ?? 0, stream.seen);
  }
  const number = numberOf(snapshot, 'streams', 'number') ?? 0;
  const listed = streams.complete + streams.incomplete + streams.stopped + streams.quiet;
  streams.complete += Math.max(0, number - listed); // those that are not listed have the most recent windows
  let state: Condition['state'] = 'live';
  if (!snapshot.grid.live) state = 'fixed';
  else if (seen === undefined) state = 'empty';
  else if (seen <= snapshot.grid.newest - snapshot.schedule.step) state = 'stale';
  else if (streams.incomplete + streams.stopped > 0) state = 'trouble';
  return { state, seen, streams };
}

/** increase is how much a running total has grown in the range. */
export function totalOf(snapshot: Snapshot, counter: string): { running: number | null; added: number | null } {
  const value = (name: 'running' | 'before') =>
    only(seriesOf(snapshot, name).find((series) => series.labels['counter'] === counter));
  const running = value('running');
  return { running, added: running === null ? null : Math.max(0, running - (value('before') ?? 0)) };
}

/** Busy is one of the series with most connections. */
export interface Busy {
  region: string;
  tenant: string;
  channel: string;
  connections: number;
  messages: number | null;
  drops: number | null;
}

export function busiestOf(snapshot: Snapshot): Busy[] {
  const key = (labels: Record<string, string>) =>
    JSON.stringify([labels['region'] ?? '', labels['tenant_id'] ?? '', labels['channel_type'] ?? '']);
  const by = (kind: string) =>
    new Map(seriesOf(snapshot, 'busiest', kind).map((series) => [key(series.labels), only(series)]));
  const messages = by('messages');
  const drops = by('drops');
  return seriesOf(snapshot, 'busiest', 'connections')
    .map((series) => ({
      region: series.labels['region'] ?? '',
      tenant: series.labels['tenant_id'] ?? '',
      channel: series.labels['channel_type'] ?? '',
      connections: only(series) ?? 0,
      messages: messages.get(key(series.labels)) ?? null,
      drops: drops.get(key(series.labels)) ?? null,
    }))
    .filter((busy) => busy.connections > 0)
    .sort((a, b) => b.connections - a.connections);
}

/** RegionDrops is how many connections a region has dropped in the range. */
export interface RegionDrops {
  region: string;
  dropped: number;
  closed: number | null;
}

/** regionsOf ranks the regions by their drops. */
export function regionsOf(snapshot: Snapshot): RegionDrops[] {
  const closed = new Map(
    seriesOf(snapshot, 'regions', 'closed').map((series) => [series.labels['region'] ?? '', only(series)]),
  );
  return seriesOf(snapshot, 'regions', 'dropped')
    .map((series) => {
      const region = series.labels['region'] ?? '';
      return { region, dropped: Math.max(0, only(series) ?? 0), closed: closed.get(region) ?? null };
    })
    .sort((a, b) => b.dropped - a.dropped || a.region.localeCompare(b.region));
}
