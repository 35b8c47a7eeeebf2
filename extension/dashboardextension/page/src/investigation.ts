// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// What the drawer of events shows, and its form in the URL.

import type { Grid, Schedule } from './time';
import type { Choice } from './url';

/** foci are the groups of events that a panel is about, by the name that the URL has for them. */
export const foci = {
  all: { title: 'All events', parameters: [] },
  drops: { title: 'Dropped connections', parameters: [['abnormal', 'true']] },
  connections: {
    title: 'Opened and closed connections',
    parameters: [
      ['type', 'connection.open'],
      ['type', 'connection.close'],
      ['type', 'ws_session'],
    ],
  },
  sessions: { title: 'Ended sessions', parameters: [['type', 'ws_session']] },
  messages: {
    title: 'Messages',
    parameters: [
      ['type', 'message.send'],
      ['type', 'message.receive'],
    ],
  },
  trouble: {
    title: 'Stream trouble',
    parameters: [
      ['type', 'protocol.violation'],
      ['type', 'stream.gap'],
      ['type', 'stream.backpressure'],
      ['type', 'stream.connected'],
      ['type', 'stream.disconnected'],
    ],
  },
  clock: {
    title: 'Clock skew',
    parameters: [
      ['type', 'clock.skew'],
      ['type', 'clock.drift'],
    ],
  },
  alerts: {
    title: 'Alerts',
    parameters: [
      ['type', 'alert.firing'],
      ['type', 'alert.resolved'],
    ],
  },
} as const satisfies Record<string, { title: string; parameters: readonly (readonly [string, string])[] }>;

export type Focus = keyof typeof foci;

/** streamWide are the foci whose events have no channel type. */
const streamWide: readonly Focus[] = ['trouble', 'clock', 'alerts'];

/** Investigation is the events of a stretch of time, and perhaps one conversation of them. */
export interface Investigation {
  from: number;
  to: number;
  focus: Focus;
  /** the channel that is shown as a timeline; empty for the list */
  channel: string;
}

/** parseInvestigation reads the text in the URL; undefined where it is none. */
export function parseInvestigation(text: string): Investigation | undefined {
  const [times = '', focus = '', channel = ''] = text.split(';');
  const [from, to] = times.split('/').map((time) => Date.parse(time));
  if (from === undefined || to === undefined || !(from >= 0 && to > from)) return undefined;
  let id = '';
  try {
    id = decodeURIComponent(channel);
  } catch {
    // a text that was cut off: the list is shown
  }
  return { from, to, focus: Object.hasOwn(foci, focus) ? (focus as Focus) : 'all', channel: id };
}

/** writeInvestigation is the text in the URL. */
export function writeInvestigation(of: Investigation): string {
  const text = `${new Date(of.from).toISOString()}/${new Date(of.to).toISOString()};${of.focus}`;
  return of.channel === '' ? text : `${text};${encodeURIComponent(of.channel)}`;
}

/** windowsAt is the time of the windows that the point of a chart at a time stands for. */
export function windowsAt(time: number, grid: Grid, schedule: Schedule): { from: number; to: number } {
  const first = grid.points[0]!;
  const index = Math.min(grid.points.length - 1, Math.max(0, Math.ceil((time - first) / grid.step)));
  const end = grid.points[index]!;
  return { from: end - grid.step - (schedule.window - schedule.step), to: Math.min(end, Math.max(grid.newest, first)) };
}

/** parametersOf are the parameters of the API that select the events. */
export function parametersOf(of: Investigation, choice: Choice): URLSearchParams {
  const parameters = new URLSearchParams({ start: String(Math.floor(of.from)), end: String(Math.ceil(of.to)) });
  const dimensions = [
    ['region', choice.region],
    ['tenant_id', choice.tenant],
    ['channel_type', streamWide.includes(of.focus) ? '' : choice.channel],
  ] as const;
  for (const [name, value] of dimensions) if (value) parameters.set(name, value);
  for (const [name, value] of foci[of.focus].parameters) parameters.append(name, value);
  return parameters;
}

/** linkTo fills in the placeholders of a configured link; undefined where one of them has no value. */
export function linkTo(url: string, values: Record<string, string>): string | undefined {
  let known = true;
  const filled = url.replace(/\{([a-z_]+)\}/g, (_, name: string) => {
    const value = values[name] ?? '';
    if (value === '' && (name === 'channel_id' || name === 'trace_id')) known = false;
    return encodeURIComponent(value);
  });
  return known ? filled : undefined;
}

/** linkValues are the values of the placeholders. */
export function linkValues(of: Investigation, choice: Choice, traceID = ''): Record<string, string> {
  return {
    start: String(Math.floor(of.from)),
    end: String(Math.ceil(of.to)),
    start_iso: new Date(of.from).toISOString(),
    end_iso: new Date(of.to).toISOString(),
    tenant_id: choice.tenant,
    region: choice.region,
    channel_type: choice.channel,
    channel_id: of.channel,
    trace_id: traceID,
  };
}
