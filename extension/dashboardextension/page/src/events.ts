// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// The server's API of events.

import { read } from './api';
import { duration } from './format';

/** Event is one line of a response. Keys that are absent are not known. */
export interface Event {
  timestamp: number;
  type: string;
  tenant_id: string;
  region: string;
  channel_type: string;
  channel_id?: string;
  event_id?: string;
  payload_size?: number;
  close_code?: number;
  close_reason?: string;
  abnormal?: boolean;
  attributes?: Record<string, unknown>;
  body?: unknown;
}

/** Page is the newest events of a query, and where the next ones begin. */
export interface Page {
  events: Event[];
  next: string | null;
  complete: boolean;
}

/** Summary is the number of a query's events. */
export interface Summary {
  events: number;
  complete: boolean;
  /** before it nothing is stored, unix ms */
  oldest: number;
  types: { type: string; count: number }[];
  closes: { code?: number; reason?: string; abnormal?: boolean; count: number }[];
  minutes: { start: number; events: number; complete: boolean; lost?: Record<string, number> }[];
}

/** Conversation is all events of a channel, oldest first. */
export interface Conversation {
  channel_id: string;
  complete: boolean;
  truncated: boolean;
  events: Event[];
  gaps: Event[];
}

/** pageLength is how many events the drawer lists at a time. */
export const pageLength = 200;

export async function fetchEvents(parameters: URLSearchParams, cursor: string, signal: AbortSignal): Promise<Page> {
  const asked = new URLSearchParams(parameters);
  asked.set('limit', String(pageLength));
  if (cursor) asked.set('cursor', cursor);
  const response = await fetch('api/v1/events?' + asked, { signal });
  const text = await response.text();
  if (!response.ok) throw new Error(errorOf(text) ?? `the server responds with ${response.status}`);
  return {
    events: linesOf(text),
    next: response.headers.get('Next-Cursor'),
    complete: response.headers.get('Events-Complete') === 'true',
  };
}

export function fetchSummary(parameters: URLSearchParams, signal: AbortSignal): Promise<Summary> {
  return read('api/v1/events/summary?' + parameters, signal) as Promise<Summary>;
}

export function fetchConversation(channel: string, signal: AbortSignal): Promise<Conversation> {
  return read('api/v1/channels/' + encodeURIComponent(channel), signal) as Promise<Conversation>;
}

/** linesOf reads a response of one JSON object a line. */
export function linesOf(text: string): Event[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);
}

function errorOf(text: string): string | undefined {
  try {
    const reason = (JSON.parse(text) as { error?: unknown }).error;
    return typeof reason === 'string' ? reason : undefined;
  } catch {
    return undefined;
  }
}

/** lossText says what of the events is missing; undefined when nothing is. */
export function lossText(summary: Summary, from: number): string | undefined {
  const lost = new Map<string, number>();
  for (const { lost: reasons } of summary.minutes) {
    for (const [reason, n] of Object.entries(reasons ?? {})) lost.set(reason, (lost.get(reason) ?? 0) + n);
  }
  const parts = [...lost].map(([reason, n]) => {
    const name = reason.replaceAll('_', ' ');
    return n > 0 ? `${n} because of ${name}` : name;
  });
  if (from < summary.oldest) parts.push('nothing is stored before ' + new Date(summary.oldest).toISOString());
  if (parts.length > 0) return 'Events of this time are missing: ' + parts.join(', ') + '.';
  return summary.complete ? undefined : 'Events of this time are missing.';
}

/** Step is one event of a timeline. */
export interface Step {
  event: Event;
  /** since the first event, ms */
  offset: number;
  /** since the event before it, ms */
  wait: number;
  /** whether the stream has a recorded gap between it and the event before it */
  gap: boolean;
}

function attribute(event: Event, name: string): number {
  const value = event.attributes?.[name];
  return typeof value === 'number' ? value : NaN;
}

/** stepsOf is a conversation as a timeline. Its session record is no step. */
export function stepsOf(conversation: Conversation): Step[] {
  const events = conversation.events.filter((event) => event.type !== 'ws_session');
  const first = events[0]?.timestamp ?? 0;
  return events.map((event, index) => {
    const before = events[index - 1]?.timestamp ?? event.timestamp;
    const gap =
      index > 0 &&
      conversation.gaps.some((of) => attribute(of, 'ccaas.gap.start') < event.timestamp && attribute(of, 'ccaas.gap.end') > before);
    return { event, offset: event.timestamp - first, wait: event.timestamp - before, gap };
  });
}

/** sessionOf is the body of the latest session record of a conversation. */
export function sessionOf(conversation: Conversation): Record<string, unknown> | undefined {
  const record = conversation.events.findLast((event) => event.type === 'ws_session');
  return typeof record?.body === 'object' && record.body !== null ? (record.body as Record<string, unknown>) : undefined;
}

/** channelOf is the channel of an event; a session record has it in its body. */
export function channelOf(event: Event): string | undefined {
  if (event.channel_id) return event.channel_id;
  if (event.type !== 'ws_session' || typeof event.body !== 'object' || event.body === null) return undefined;
  const id = (event.body as Record<string, unknown>)['channel_id'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}

/** outcomeOf is how a session ended and how long it lasted, in a line; empty for other events. */
export function outcomeOf(event: Event): string {
  if (event.type !== 'ws_session' || typeof event.body !== 'object' || event.body === null) return '';
  const { outcome, start, end, sampled } = event.body as Record<string, unknown>;
  return [outcome, typeof start === 'number' && typeof end === 'number' && `after ${duration(end - start)}`, sampled === true && 'with a trace']
    .filter((part) => typeof part === 'string' && part !== '')
    .join(', ');
}

/** directions are what an arrow says of a message. */
export const directions: Record<string, { arrow: string; text: string }> = {
  'message.send': { arrow: '→', text: 'to the customer' },
  'message.receive': { arrow: '←', text: 'from the customer' },
};
