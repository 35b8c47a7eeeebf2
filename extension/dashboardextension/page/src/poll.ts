// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useEffect, useReducer, useRef } from 'preact/hooks';

import { fetchAbout, fetchAll, fetchMarks, fetchValues, type About } from './api';
import { exemplars, queries } from './queries';
import type { Snapshot } from './snapshot';
import { due, gridOf, pollAt } from './time';
import { rangeOf, type Choice } from './url';

/** Options are the values that can be selected. */
export interface Options {
  regions: string[];
  tenants: string[];
  channels: string[];
}

/** PageState is the result of the last polls. */
export interface PageState {
  about: About | undefined;
  snapshot: Snapshot | undefined;
  options: Options;
  /** why the last poll failed */
  error: string | undefined;
  loading: boolean;
}

const initial: PageState = {
  about: undefined,
  snapshot: undefined,
  options: { regions: [], tenants: [], channels: [] },
  error: undefined,
  loading: true,
};

/** timeout of a poll, ms; meanwhile there is no other. */
const timeout = 30_000;

/** retryAfter is how long after a failed first poll the next one comes, ms: until then the windows' length is unknown. */
const retryAfter = 5_000;

/**
 * usePolling keeps the page's state current: it polls once per window's length, and when something else is selected.
 * While the page is hidden it does not poll.
 */
export function usePolling(choice: Choice): PageState {
  const [state, update] = useReducer((before: PageState, change: Partial<PageState>) => ({ ...before, ...change }), initial);
  const server = useRef<About | undefined>(undefined);
  const { theme: _, events: __, ...selection } = choice;
  const key = JSON.stringify(selection);

  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let polled = -Infinity; // the last poll
    let polling = false;
    let live = true;
    const now = () => Date.now() + (server.current?.clock ?? 0);
    const numberNow = () => (server.current ? due(now(), server.current.schedule) : -Infinity);

    const poll = async (wait: boolean) => {
      polling = true;
      const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(timeout)]);
      try {
        const about = await fetchAbout(wait, signal);
        server.current = about;
        polled = numberNow();
        const grid = gridOf(rangeOf(choice), about.newest, about.schedule);
        const taken = now();
        const label = (name: string) => fetchValues(name, grid.newest, signal).catch(() => []);
        const [results, marks, regions, tenants, channels] = await Promise.all([
          fetchAll(queries(choice, grid, about.schedule), grid, signal),
          fetchMarks(exemplars(choice), grid, signal),
          label('region'),
          label('tenant_id'),
          label('channel_type'),
        ]);
        live = grid.live;
        const errors = Object.values(results).map((result) => ('error' in result ? result.error : undefined));
        if (errors.every((error) => error !== undefined)) throw new Error(errors[0]);
        update({
          about,
          snapshot: { choice, grid, schedule: about.schedule, taken, results, marks },
          options: { regions, tenants, channels },
          error: undefined,
          loading: false,
        });
      } catch (error) {
        if (ended.signal.aborted) return;
        polled = numberNow();
        update({ error: signal.aborted ? 'the server does not respond in time' : (error as Error).message, loading: false });
      }
      polling = false;
      schedule();
    };
    const schedule = () => {
      clearTimeout(timer);
      if (ended.signal.aborted || !live) return;
      if (!server.current) {
        timer = setTimeout(tick, retryAfter);
        return;
      }
      const next = Math.max(polled, numberNow()) + 1; // one that took too long replaces the next
      timer = setTimeout(tick, Math.max(0, pollAt(next, server.current.schedule) - now()));
    };
    const tick = () => {
      if (document.hidden || polling || ended.signal.aborted) return;
      if (!server.current || numberNow() > polled) void poll(true);
      else schedule(); // the timer was early
    };
    const shown = () => {
      if (!document.hidden && live) tick();
    };

    update({ loading: true });
    void poll(false); // a new viewer does not wait
    document.addEventListener('visibilitychange', shown);
    return () => {
      ended.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
    };
  }, [key]);

  return state;
}
