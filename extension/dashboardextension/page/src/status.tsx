// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useEffect, useState } from 'preact/hooks';

import { duration, moment, plural, timeOfDay } from './format';
import { conditionOf, episodesOf, type Condition, type Picture } from './picture';
import type { Known } from './poll';
import { due, pollAt } from './time';

interface Told {
  state: 'loading' | 'live' | 'trouble' | 'stale' | 'empty' | 'fixed' | 'error';
  word: string;
  sentence: string;
}

/** notReading is how a receiver's error begins while it does not read, because downstream refuses. */
const notReading = 'not reading';

/**
 * warning is what must not be overlooked: that we are not reading, or that no windows come. What is shown is
 * then not what happens.
 */
export function warning({ about, picture, error }: Known): string | undefined {
  if (error !== undefined || !picture || !picture.grid.live) return undefined;
  const since = (time: number) => moment(time, picture.taken);
  const troubles = about?.troubles ?? [];
  const refused = troubles.filter((trouble) => trouble.error.startsWith(notReading));
  if (refused.length > 0) {
    const names = refused.map((trouble) => trouble.component).join(', ');
    return (
      `We are not reading (${names}): downstream does not take events. ` +
      `What the platform sends meanwhile is not counted. ${sentenceOf(refused[0]!.error)}`
    );
  }
  const { state, seen } = conditionOf(picture);
  const why = troubles.map((trouble) => ` ${trouble.component}, since ${since(trouble.since)}: ${sentenceOf(trouble.error)}`);
  if (state === 'stale') return `No windows since ${since(seen!)}.` + why.join('');
  return why.length > 0 ? 'A receiver reports an error.' + why.join('') : undefined;
}

/** Banner says it, above everything else. */
export function Banner({ known }: { known: Known }) {
  const text = warning(known);
  if (text === undefined) return null;
  return (
    <p class="banner" role="alert">
      {text}
    </p>
  );
}

/** tell says in a word and a sentence what is going on. */
export function tell({ picture, error, loading }: Known): Told {
  if (error !== undefined) {
    const known = picture ? ` Below is what was known at ${timeOfDay(picture.taken)}.` : '';
    const sentence = sentenceOf(error) + known + ' The page asks again with the next window.';
    return { state: 'error', word: 'No answer', sentence };
  }
  if (!picture) return { state: 'loading', word: 'Loading', sentence: loading ? 'Asking for the windows.' : '' };
  const condition = conditionOf(picture);
  return { state: condition.state, ...words[condition.state](condition, picture) };
}

function sentenceOf(error: string): string {
  return error.charAt(0).toUpperCase() + error.slice(1) + (/[.!?]$/.test(error) ? '' : '.');
}

const words: Record<Condition['state'], (c: Condition, p: Picture) => Omit<Told, 'state'>> = {
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

/** Status is the title, how things are, and how many alerts fire. */
export function Status({ known }: { known: Known }) {
  const told = tell(known);
  const firing = known.picture ? episodesOf(known.picture).filter((episode) => episode.end === undefined) : [];
  const critical = firing.some((episode) => episode.severity === 'critical');
  const title = firing.length > 0 ? `(${firing.length}) WebSocket estate` : 'WebSocket estate';
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <div class={'status ' + told.state}>
      <h1>WebSocket estate</h1>
      {firing.length > 0 && (
        <a class={'firing ' + (critical ? 'critical' : 'warning')} href="#alerts">
          {plural(firing.length, 'alert')} firing
        </a>
      )}
      <p>
        <span class="word">{told.word}</span> <span class="sentence">{told.sentence}</span>
      </p>
      {/* Said aloud when it changes, not with every window. */}
      <p class="unseen" role="status">
        {told.word}. {firing.length > 0 ? plural(firing.length, 'alert') + ' firing.' : ''}
      </p>
    </div>
  );
}

/** Footer says where the data is from and when it is asked for next. */
export function Footer({ known: { about, picture } }: { known: Known }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => setNow(Date.now()), [picture]);
  if (!about || !picture) return null;
  const { schedule } = about;
  const server = now + about.clock;
  const next = picture.grid.live ? ` Next at ${timeOfDay(pollAt(due(server, schedule) + 1, schedule))}.` : '';
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const source = about.source === 'embedded' ? 'the embedded store' : 'an outside Prometheus';
  return (
    <footer>
      <p>
        A window of {duration(schedule.window)} every {duration(schedule.step)}, from {source}; each point of a chart
        stands for {duration(picture.grid.step)}.{next} Times in {zone}.
      </p>
      <p>
        otelcol-ccaas {about.version} · <a href="api/v1/status/buildinfo">query API</a> ·{' '}
        <a href="licences.txt">licences</a>
      </p>
    </footer>
  );
}
