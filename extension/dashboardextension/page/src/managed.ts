// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useCallback, useEffect, useState } from 'preact/hooks';

import { managedOf, type Managed, type Matcher } from './alertmanager';
import type { Choice } from './url';

/** timeout of a request, ms. */
const timeout = 30_000;

/** Alertmanager is its latest response, and how to change silences. */
export interface Alertmanager {
  /** undefined before the first response, and without an Alertmanager */
  managed: Managed | undefined;
  error: string | undefined;
  refresh: () => void;
}

async function request(path: string, options: RequestInit = {}): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, { signal: AbortSignal.timeout(timeout), headers: { Accept: 'application/json' }, ...options });
  } catch (error) {
    throw new Error('the server cannot be reached', { cause: error });
  }
  const text = await response.text();
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // an error of a proxy in between; a response without a body
  }
  if (response.ok) return body;
  const { error, message } = (typeof body === 'object' && body !== null ? body : {}) as { error?: unknown; message?: unknown };
  throw new Error(String(error ?? message ?? body ?? '') || `the server responds with ${response.status}`);
}

/** NewSilence is what a person decides about a silence. */
export interface NewSilence {
  matchers: Matcher[];
  /** ms */
  duration: number;
  author: string;
  comment: string;
}

/** addSilence begins a silence now; the time is the server's. */
export async function addSilence({ matchers, duration, author, comment }: NewSilence, now: number): Promise<void> {
  await request('api/v2/silences', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      matchers,
      startsAt: new Date(now).toISOString(),
      endsAt: new Date(now + duration).toISOString(),
      createdBy: author,
      comment,
    }),
  });
}

/** expireSilence ends a silence. */
export async function expireSilence(id: string): Promise<void> {
  await request('api/v2/silence/' + encodeURIComponent(id), { method: 'DELETE' });
}

/** useAlertmanager reads the alerts and silences with each poll of the page, and when refresh is called. */
export function useAlertmanager(present: boolean, choice: Choice, polled: number): Alertmanager {
  const [state, update] = useState<Omit<Alertmanager, 'refresh'>>({ managed: undefined, error: undefined });
  const [turn, setTurn] = useState(0);
  const refresh = useCallback(() => setTurn((times) => times + 1), []);
  useEffect(() => {
    if (!present) return;
    let current = true;
    void (async () => {
      try {
        const [groups, silences] = await Promise.all([request('api/v2/alerts/groups'), request('api/v2/silences')]);
        if (current) update({ managed: managedOf(groups, silences, choice), error: undefined });
      } catch (error) {
        if (current) update((before) => ({ ...before, error: (error as Error).message }));
      }
    })();
    return () => {
      current = false;
    };
  }, [present, polled, turn, choice.region, choice.tenant, choice.channel]);
  return { ...state, refresh };
}
