// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// The server's two interfaces: what it says of itself, and the Prometheus query API.

import type { Name, Question } from './queries';
import type { Grid, Schedule } from './time';

/** About is what the server says of itself. */
export interface About {
  version: string;
  source: string;
  schedule: Schedule;
  /** the end of the newest window that is there of all streams; a sum over some of them would look like a fall */
  newest: number;
  /** what receivers of this collector report of themselves; none of an outside one */
  troubles: Trouble[];
  /**
   * what to add to this machine's clock to have the server's. The time that the answer took is
   * not made up for: the page may be late by it, and is never early.
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

/** Series is one line of an answer: its labels and its samples. */
export interface Series {
  labels: Record<string, string>;
  points: Map<number, number>;
}

/** Answer is the lines that came, or why none did. */
export type Answer = { series: Series[] } | { error: string };

async function read(path: string, signal: AbortSignal): Promise<unknown> {
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
    throw new Error(`the server answers ${response.status} ${response.statusText}`.trimEnd(), { cause: error });
  }
  if (!response.ok) {
    const told = (body as { error?: unknown } | null)?.error;
    throw new Error(typeof told === 'string' ? told : `the server answers ${response.status}`);
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

/** about asks the server about itself. With wait it takes a moment to answer while streams close their windows. */
export async function about(wait: boolean, signal: AbortSignal): Promise<About> {
  const body = (await read(wait ? 'api/page?wait' : 'api/page', signal)) as Record<string, unknown>;
  const answered = Date.now() + 1; // it may have just begun
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
    clock: number('now') - answered,
  };
}

type Sample = [time: number, value: string];

interface Body {
  data?: { result?: { metric?: Record<string, string>; value?: Sample; values?: Sample[] }[] };
}

/** seriesOf reads the body of a query's answer. */
export function seriesOf(body: unknown): Series[] {
  const result = (body as Body | null)?.data?.result;
  if (!Array.isArray(result)) throw new Error('the answer is not one of the Prometheus query API');
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

/** address is where a question is asked. The same question has the same address for every viewer. */
export function address(question: Question, grid: Grid): string {
  const parameters = new URLSearchParams({ query: question.expression });
  if (question.over === 'instant') {
    parameters.set('time', seconds(grid.newest));
    return 'api/v1/query?' + parameters;
  }
  parameters.set('start', seconds(grid.points[0]!));
  parameters.set('end', seconds(grid.points.at(-1)!));
  parameters.set('step', seconds(grid.step));
  return 'api/v1/query_range?' + parameters;
}

/** ask asks every question; one that fails does not keep the others from being answered. */
export async function ask(
  questions: Record<Name, Question>,
  grid: Grid,
  signal: AbortSignal,
): Promise<Record<Name, Answer>> {
  const answers = await Promise.all(
    Object.entries(questions).map(async ([name, question]): Promise<[string, Answer]> => {
      try {
        return [name, { series: seriesOf(await read(address(question, grid), signal)) }];
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        return [name, { error: error instanceof Error ? error.message : String(error) }];
      }
    }),
  );
  return Object.fromEntries(answers) as Record<Name, Answer>;
}

/** values asks for the values that a label has had in the day before a time. */
export async function values(label: string, time: number, signal: AbortSignal): Promise<string[]> {
  const parameters = new URLSearchParams({
    'match[]': 'ws_window_complete_ratio',
    start: seconds(time - 86_400_000),
    end: seconds(time),
    limit: '500',
  });
  const body = (await read(`api/v1/label/${label}/values?` + parameters, signal)) as { data?: unknown };
  return Array.isArray(body.data) ? body.data.filter((value) => typeof value === 'string').slice(0, 500) : [];
}
