// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useEffect, useReducer, useRef } from 'preact/hooks';

import { about, ask, values, type About } from './api';
import type { Picture } from './picture';
import { questions } from './queries';
import { due, gridOf, pollAt } from './time';
import { rangeOf, type Choice } from './url';

/** Options are the values that can be chosen from. */
export interface Options {
  regions: string[];
  tenants: string[];
  channels: string[];
}

/** Known is what the page knows by now. */
export interface Known {
  about: About | undefined;
  picture: Picture | undefined;
  options: Options;
  /** why the last poll brought nothing */
  error: string | undefined;
  loading: boolean;
}

const nothing: Known = {
  about: undefined,
  picture: undefined,
  options: { regions: [], tenants: [], channels: [] },
  error: undefined,
  loading: true,
};

/** how long to wait for answers; meanwhile nothing else is asked. */
const patience = 30_000;

/** without an answer from the server, windows are taken to be as they are by default. */
const usual = { window: 10_000, step: 9_000, offset: 2_000 };

/**
 * usePolling keeps what is known current: it asks once per window, and when something
 * else is chosen. While the page is hidden it does not ask.
 */
export function usePolling(choice: Choice): Known {
  const [known, tell] = useReducer((before: Known, news: Partial<Known>) => ({ ...before, ...news }), nothing);
  const server = useRef<About | undefined>(undefined);
  const { theme: _, ...asked } = choice;
  const key = JSON.stringify(asked);

  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let polled = -Infinity; // the window that was asked for last
    let asking = false;
    let live = true;
    const now = () => Date.now() + (server.current?.clock ?? 0);
    const schedule = () => server.current?.schedule ?? usual;

    const load = async (patient: boolean) => {
      asking = true;
      polled = due(now(), schedule());
      const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(patience)]);
      try {
        const told = await about(patient, signal);
        server.current = told;
        polled = due(now(), schedule());
        const grid = gridOf(rangeOf(choice), told.newest, told.schedule);
        const taken = now();
        const label = (name: string) => values(name, grid.newest, signal).catch(() => []);
        const [answers, regions, tenants, channels] = await Promise.all([
          ask(questions(choice, grid, told.schedule), grid, signal),
          label('region'),
          label('tenant_id'),
          label('channel_type'),
        ]);
        live = grid.live;
        const wrong = Object.values(answers).map((answer) => ('error' in answer ? answer.error : undefined));
        if (wrong.every((error) => error !== undefined)) throw new Error(wrong[0]);
        tell({
          about: told,
          picture: { choice, grid, schedule: told.schedule, taken, answers },
          options: { regions, tenants, channels },
          error: undefined,
          loading: false,
        });
      } catch (error) {
        if (ended.signal.aborted) return;
        const late = signal.aborted;
        tell({ error: late ? 'the server does not answer in time' : (error as Error).message, loading: false });
      }
      asking = false;
      wait();
    };
    const wait = () => {
      clearTimeout(timer);
      if (ended.signal.aborted || !live) return;
      const next = Math.max(polled, due(now(), schedule())) + 1; // a poll that took too long takes the place of others
      timer = setTimeout(turn, Math.max(0, pollAt(next, schedule()) - now()));
    };
    const turn = () => {
      if (document.hidden || asking || ended.signal.aborted) return;
      if (due(now(), schedule()) > polled) void load(true);
      else wait(); // the timer came early
    };
    const seen = () => {
      if (!document.hidden && live) turn();
    };

    tell({ loading: true });
    void load(false); // whoever has just come should not wait
    document.addEventListener('visibilitychange', seen);
    return () => {
      ended.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [key]);

  return known;
}
