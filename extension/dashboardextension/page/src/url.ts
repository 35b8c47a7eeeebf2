// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// What the viewer has chosen lives in the address, so that it can be kept, sent to
// others and gone back to.

import type { Range } from './time';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** presets are the lengths of time on offer, by the name that the address has for them. */
export const presets: ReadonlyMap<string, number> = new Map([
  ['15m', 15 * minute],
  ['1h', hour],
  ['6h', 6 * hour],
  ['24h', day],
  ['7d', 7 * day],
  ['30d', 30 * day],
  ['90d', 90 * day],
]);

export const defaultPreset = '15m';

export type Theme = 'auto' | 'light' | 'dark';

/** Choice is everything the viewer can choose. An empty dimension means all. */
export interface Choice {
  range: { preset: string } | { from: number; to: number };
  region: string;
  tenant: string;
  channel: string;
  theme: Theme;
  /** what the drawer of events shows, see investigation.ts; empty: it is closed */
  events: string;
}

/** shortest is the shortest stretch of time that can be chosen. */
export const shortest = minute;

/** rangeOf is the chosen range. */
export function rangeOf(choice: Choice): Range {
  const range = choice.range;
  return 'preset' in range ? { length: presets.get(range.preset) ?? presets.get(defaultPreset)! } : range;
}

/** parse reads the address. What it cannot understand is as if it were not there. */
export function parse(search: string): Choice {
  const query = new URLSearchParams(search);
  const preset = query.get('range') ?? '';
  const fixed = stretch(Date.parse(query.get('from') ?? ''), Date.parse(query.get('to') ?? ''));
  const theme = query.get('theme');
  return {
    range: fixed ?? { preset: presets.has(preset) ? preset : defaultPreset },
    region: query.get('region') ?? '',
    tenant: query.get('tenant') ?? '',
    channel: query.get('channel') ?? '',
    theme: theme === 'light' || theme === 'dark' ? theme : 'auto',
    events: query.get('events') ?? '',
  };
}

/** write gives the address of a choice; what is as by default is left out. */
export function write(choice: Choice): string {
  const query = new URLSearchParams();
  if ('from' in choice.range) {
    query.set('from', new Date(choice.range.from).toISOString());
    query.set('to', new Date(choice.range.to).toISOString());
  } else if (choice.range.preset !== defaultPreset) {
    query.set('range', choice.range.preset);
  }
  for (const [name, value] of [
    ['region', choice.region],
    ['tenant', choice.tenant],
    ['channel', choice.channel],
    ['theme', choice.theme === 'auto' ? '' : choice.theme],
    ['events', choice.events],
  ] as const) {
    if (value) query.set(name, value);
  }
  const text = query.toString();
  return text && '?' + text;
}

const latest = Date.UTC(2200, 0, 1);

/** stretch is the time from one end to the other, or nothing when it is none. */
export function stretch(from: number, to: number): { from: number; to: number } | undefined {
  if (!(from >= 0 && to <= latest && to - from >= shortest)) return undefined;
  return { from, to };
}
