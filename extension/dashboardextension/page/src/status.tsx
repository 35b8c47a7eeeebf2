// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useEffect, useState } from 'preact/hooks';

import { duration, moment, plural, timeOfDay } from './format';
import { conditionOf, episodesOf, type Condition, type Snapshot } from './snapshot';
import type { PageState } from './poll';
import { due, pollAt } from './time';

interface StatusText {
  state: 'loading' | 'live' | 'trouble' | 'stale' | 'empty' | 'fixed' | 'error';
  word: string;
  sentence: string;
}

/** notReading begins a receiver's error while it does not read, because downstream rejects events. */
const notReading = 'not reading';

/**
 * warning is what must not be overlooked: that a receiver does not read, or that no windows arrive. The data shown
 * are then not what happens.
 */
export function warning({ about, snapshot, error }: PageState): string | undefined {
  if (error !== undefined || !snapshot || !snapshot.grid.live) return undefined;
  const since = (time: number) => moment(time, snapshot.taken);
  const troubles = about?.troubles ?? [];
  const refused = troubles.filter((trouble) => trouble.error.startsWith(notReading));
  if (refused.length > 0) {
    const names = refused.map((trouble) => trouble.component).join(', ');
    return (
      `We are not reading (${names}): downstream does not take events. ` +
      `What the platform sends meanwhile is not counted. ${sentenceOf(refused[0]!.error)}`
    );
  }
  const { state, seen } = conditionOf(snapshot);
  const why = troubles.map((trouble) => ` ${trouble.component}, since ${since(trouble.since)}: ${sentenceOf(trouble.error)}`);
  if (state === 'stale') return `No windows since ${since(seen!)}.` + why.join('');
  return why.length > 0 ? 'A receiver reports an error.' + why.join('') : undefined;
}

/** Banner shows the warning above everything else. */
export function Banner({ state }: { state: PageState }) {
  const text = warning(state);
  if (text === undefined) return null;
  return (
    <p class="banner" role="alert">
      {text}
    </p>
  );
}

/** statusText is the state of the page in a word and a sentence. */
export function statusText({ snapshot, error, loading }: PageState): StatusText {
  if (error !== undefined) {
    const shown = snapshot ? ` The data below are of ${timeOfDay(snapshot.taken)}.` : '';
    const sentence = sentenceOf(error) + shown + ' The page polls again with the next window.';
    return { state: 'error', word: 'No response', sentence };
  }
  if (!snapshot) return { state: 'loading', word: 'Loading', sentence: loading ? 'Fetching the windows.' : '' };
  const condition = conditionOf(snapshot);
  return { state: condition.state, ...words[condition.state](condition, snapshot) };
}

function sentenceOf(error: string): string {
  return error.charAt(0).toUpperCase() + error.slice(1) + (/[.!?]$/.test(error) ? '' : '.');
}

const words: Record<Condition['state'], (c: Condition, p: Snapshot) => Omit<StatusText, 'state'>> = {
  live: (c, p) => ({
    word: 'Live',
    sentence: `${plural(c.streams.complete, 'stream')}, all complete. Window until ${timeOfDay(p.grid.newest)}.`,
  }),
  trouble: (c, p) => ({
    word: 'Not complete',
    sentence:
      [
        c.streams.stopped > 0 && plural(c.streams.stopped, 'stream') + ' stopped',
        c.streams.incomplete > 0 && plural(c.streams.incomplete, 'stream') + ' incomplete',
        `${c.streams.complete} complete`,
      ]
        .filter(Boolean)
        .join(', ') + `. Window until ${timeOfDay(p.grid.newest)}.`,
  }),
  stale: (c, p) => ({
    word: 'No new window',
    sentence:
      `The last one ended at ${moment(c.seen!, p.taken)}, ${duration(p.taken - c.seen!)} ago. ` +
      (c.streams.stopped > 0 ? `${plural(c.streams.stopped, 'stream')} stopped.` : 'All streams are quiet.'),
  }),
  empty: (_, p) => ({
    word: 'No windows yet',
    sentence: `Once a platform is connected, one comes every ${duration(p.schedule.step)}.`,
  }),
  fixed: (_, p) => ({ word: 'Not live', sentence: `Fixed time range until ${moment(p.grid.to, p.taken)}.` }),
};

/** Status is the title, the state, and how many alerts fire. */
export function Status({ state }: { state: PageState }) {
  const text = statusText(state);
  const firing = state.snapshot ? episodesOf(state.snapshot).filter((episode) => episode.end === undefined) : [];
  const critical = firing.some((episode) => episode.severity === 'critical');
  const title = firing.length > 0 ? `(${firing.length}) WebSocket estate` : 'WebSocket estate';
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <div class={'status ' + text.state}>
      <h1>WebSocket estate</h1>
      {firing.length > 0 && (
        <a class={'firing ' + (critical ? 'critical' : 'warning')} href="#alerts">
          {plural(firing.length, 'alert')} firing
        </a>
      )}
      <p>
        <span class="word">{text.word}</span> <span class="sentence">{text.sentence}</span>
      </p>
      {/* Announced when it changes, not with every window. */}
      <p class="unseen" role="status">
        {text.word}. {firing.length > 0 ? plural(firing.length, 'alert') + ' firing.' : ''}
      </p>
    </div>
  );
}

/** Footer shows where the data are from and when the next poll is. */
export function Footer({ state: { about, snapshot } }: { state: PageState }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => setNow(Date.now()), [snapshot]);
  if (!about || !snapshot) return null;
  const { schedule } = about;
  const server = now + about.clock;
  const next = snapshot.grid.live ? ` Next at ${timeOfDay(pollAt(due(server, schedule) + 1, schedule))}.` : '';
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const source = about.source === 'embedded' ? 'the embedded store' : 'an outside Prometheus';
  return (
    <footer>
      <p>
        A window of {duration(schedule.window)} every {duration(schedule.step)}, from {source}; each point of a chart
        stands for {duration(snapshot.grid.step)}.{next} Times in {zone}.
      </p>
      <p>
        otelcol-ccaas {about.version} · <a href="api/v1/status/buildinfo">query API</a> ·{' '}
        <a href="licences.txt">licences</a>
      </p>
    </footer>
  );
}
