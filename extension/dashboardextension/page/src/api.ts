// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// The server's two interfaces: its state, and the Prometheus query API.

import { limits, type Name, type Query } from './queries';
import type { Grid, Schedule } from './time';

/** About is the state of the server. */
export interface About {
  version: string;
  source: string;
  schedule: Schedule;
  /** the end of the newest window that all streams have; a sum over some of them would look like a fall */
  newest: number;
  /** what the receivers of this collector report; empty for an outside store */
  troubles: Trouble[];
  /** how long events are kept, ms; 0: they are not stored here */
  eventsKept: number;
  /** other systems, with placeholders in their URLs */
  links: Link[];
  /** whether there is an Alertmanager to list alerts of */
  alertmanager: boolean;
  /** whether this viewer may silence them */
  silence: boolean;
  /**
   * what to add to this machine's clock to get the server's. The time that the response took is
   * not compensated: the page may be late by it, and is never early.
   */
  clock: number;
}

/** Trouble is what a receiver reports: why it does not read, or cannot connect. */
export interface Trouble {
  component: string;
  /** since when, by the server's clock */
  since: number;
  error: string;
}

/** Link is the configured link to another system. */
export interface Link {
  name: string;
  url: string;
}

/** Series is one line of a response: its labels and its samples. */
export interface Series {
  labels: Record<string, string>;
  points: Map<number, number>;
}

/** Result is the lines of a response, or why there are none. */
export type Result = { series: Series[] } | { error: string };

/** read fetches a JSON response; the error is the one that the response has. */
export async function read(path: string, signal: AbortSignal): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, { signal, headers: { Accept: 'application/json' } });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new Error('the server cannot be reached', { cause: error });
  }
  let body: unknown;
  try {
    body = await response.json();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new Error(`the server responds with ${response.status} ${response.statusText}`.trimEnd(), { cause: error });
  }
  if (!response.ok) {
    const reason = (body as { error?: unknown } | null)?.error;
    throw new Error(typeof reason === 'string' ? reason : `the server responds with ${response.status}`);
  }
  return body;
}

function troublesOf(list: unknown): Trouble[] {
  if (!Array.isArray(list)) return [];
  return (list as Partial<Trouble>[]).map(({ component, since, error }) => ({
    component: String(component ?? ''),
    since: Number(since ?? 0),
    error: String(error ?? ''),
  }));
}

function linksOf(list: unknown): Link[] {
  if (!Array.isArray(list)) return [];
  return (list as Partial<Link>[])
    .map(({ name, url }) => ({ name: String(name ?? ''), url: String(url ?? '') }))
    .filter(({ url }) => /^https?:/.test(url));
}

/** fetchAbout reads the state of the server. With wait the response is held for a moment while streams close their windows. */
export async function fetchAbout(wait: boolean, signal: AbortSignal): Promise<About> {
  const body = (await read(wait ? 'api/page?wait' : 'api/page', signal)) as Record<string, unknown>;
  const received = Date.now() + 1; // it may have just begun
  const number = (name: string): number => {
    const value = body[name];
    if (typeof value !== 'number' || !(value >= 0)) throw new Error(`api/page: ${name} is ${JSON.stringify(value)}`);
    return value;
  };
  return {
    version: String(body['version'] ?? ''),
    source: String(body['source'] ?? ''),
    schedule: {
      window: number('windowSeconds') * 1000,
      step: Math.max(1, number('stepSeconds')) * 1000,
      offset: number('offsetSeconds') * 1000,
    },
    newest: number('newest'),
    troubles: troublesOf(body['troubles']),
    eventsKept: typeof body['eventsSeconds'] === 'number' ? body['eventsSeconds'] * 1000 : 0,
    links: linksOf(body['links']),
    alertmanager: body['alertmanager'] === true,
    silence: body['silence'] === true,
    clock: number('now') - received,
  };
}

type Sample = [time: number, value: string];

interface Body {
  data?: { result?: { metric?: Record<string, string>; value?: Sample; values?: Sample[] }[] };
}

/** seriesOf reads the body of a response. */
export function seriesOf(body: unknown): Series[] {
  const result = (body as Body | null)?.data?.result;
  if (!Array.isArray(result)) throw new Error('the response is not one of the Prometheus query API');
  return result.map(({ metric, value, values }) => {
    const points = new Map<number, number>();
    for (const [time, text] of values ?? (value ? [value] : [])) {
      const sample = Number(text);
      if (Number.isFinite(sample)) points.set(Math.round(time * 1000), sample);
    }
    return { labels: metric ?? {}, points };
  });
}

function seconds(time: number): string {
  return (time / 1000).toFixed(3);
}

/** address is the URL of a query. The same query has the same URL for every viewer. */
export function address(query: Query, grid: Grid): string {
  const parameters = new URLSearchParams({ query: query.expression });
  if (query.over === 'instant') {
    parameters.set('time', seconds(grid.newest));
    return 'api/v1/query?' + parameters;
  }
  parameters.set('start', seconds(grid.points[0]!));
  parameters.set('end', seconds(grid.points.at(-1)!));
  parameters.set('step', seconds(grid.step));
  return 'api/v1/query_range?' + parameters;
}

/** Mark is a sampled session that was dropped, and when. */
export interface Mark {
  time: number;
  trace: string;
}

/** marksOf reads the exemplars of a response: the latest of them, each once, in order of time. */
export function marksOf(body: unknown): Mark[] {
  const result = (body as { data?: { exemplars?: { labels?: Record<string, string>; timestamp?: number }[] }[] } | null)?.data;
  if (!Array.isArray(result)) throw new Error('the response is not one of the Prometheus query API');
  const marks = new Map<string, Mark>();
  for (const { labels, timestamp } of result.flatMap((series) => series.exemplars ?? [])) {
    const trace = labels?.['trace_id'];
    if (trace && Number.isFinite(timestamp)) marks.set(trace, { time: Math.round(timestamp! * 1000), trace });
  }
  return [...marks.values()].sort((a, b) => a.time - b.time).slice(-limits.marks);
}

/** fetchMarks reads the exemplars of a query. A store without any is no error. */
export async function fetchMarks(query: string, grid: Grid, signal: AbortSignal): Promise<Mark[]> {
  const parameters = new URLSearchParams({ query, start: seconds(grid.points[0]! - grid.step), end: seconds(grid.newest) });
  try {
    return marksOf(await read('api/v1/query_exemplars?' + parameters, signal));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return [];
  }
}

/** fetchAll runs every query; one that fails does not affect the others. */
export async function fetchAll(
  queries: Record<Name, Query>,
  grid: Grid,
  signal: AbortSignal,
): Promise<Record<Name, Result>> {
  const results = await Promise.all(
    Object.entries(queries).map(async ([name, query]): Promise<[string, Result]> => {
      try {
        return [name, { series: seriesOf(await read(address(query, grid), signal)) }];
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        return [name, { error: error instanceof Error ? error.message : String(error) }];
      }
    }),
  );
  return Object.fromEntries(results) as Record<Name, Result>;
}

/** fetchValues reads the values of a label in the day before a time. */
export async function fetchValues(label: string, time: number, signal: AbortSignal): Promise<string[]> {
  const parameters = new URLSearchParams({
    'match[]': 'ws_window_complete_ratio',
    start: seconds(time - 86_400_000),
    end: seconds(time),
    limit: '500',
  });
  const body = (await read(`api/v1/label/${label}/values?` + parameters, signal)) as { data?: unknown };
  return Array.isArray(body.data) ? body.data.filter((value) => typeof value === 'string').slice(0, 500) : [];
}
